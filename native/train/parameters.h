// The tensors that can be trained, in named groups. A phase trains some of the groups.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "device/torch.h"

namespace brain3d::train {

enum class ParameterGroup { PatchEmbedding, DepthPositions, Projector, VisScale, Lora };

/// "patch_embedding", "depth_positions", "projector", "vis_scale", "lora".
const char* group_name(ParameterGroup group);
/// Throws Usage for another name.
ParameterGroup parse_group(const std::string& name);

using ParameterGroups = std::set<ParameterGroup>;

/// A trainable tensor: a float32 leaf whatever the dtype of the computation, so that small updates are not rounded
/// away.
struct Parameter {
  std::string name;  // as in brain3d.safetensors, or "text.layers.0.self_attn.q_proj.lora_A.weight"
  ParameterGroup group;
  at::Tensor value;
  bool decays;  // weight decay is for matrices and kernels: not for biases, the gate and the depth positions
};

}  // namespace brain3d::train
