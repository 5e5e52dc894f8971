#include "train/parameters.h"

#include <array>

#include "base/error.h"

namespace brain3d::train {

namespace {

constexpr std::array kGroups = {ParameterGroup::PatchEmbedding, ParameterGroup::DepthPositions,
                                ParameterGroup::Projector, ParameterGroup::VisScale, ParameterGroup::Lora};

}  // namespace

const char* group_name(ParameterGroup group) {
  switch (group) {
    case ParameterGroup::PatchEmbedding: return "patch_embedding";
    case ParameterGroup::DepthPositions: return "depth_positions";
    case ParameterGroup::Projector: return "projector";
    case ParameterGroup::VisScale: return "vis_scale";
    case ParameterGroup::Lora: return "lora";
  }
  fail(ErrorCode::Internal, "an unknown parameter group");
}

ParameterGroup parse_group(const std::string& name) {
  for (const ParameterGroup group : kGroups)
    if (name == group_name(group)) return group;
  fail(ErrorCode::Usage, "expected patch_embedding, depth_positions, projector, vis_scale or lora as a group, got '",
       name, "'");
}

}  // namespace brain3d::train
