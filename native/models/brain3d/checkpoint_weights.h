// The tensors a checkpoint adds to its backbones: brain3d.safetensors.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/brain3d/projector.h"
#include "models/brain3d/recipe.h"
#include "models/vision/siglip_config.h"

namespace brain3d::models {

inline constexpr const char* kPatchWeight = "vision.patch_embedding_3d.weight";
inline constexpr const char* kPatchBias = "vision.patch_embedding_3d.bias";
inline constexpr const char* kDepthPositions = "vision.depth_position_embedding.weight";
inline constexpr const char* kVisScale = "vis_scale";

struct CheckpointSizes {
  std::int64_t vision_width;    // E
  std::int64_t language_width;  // M
  std::int64_t patch_size;      // p
  std::int64_t depth_kernel;
  std::int64_t depth_positions;  // Dp; 0 where positions are not learned
};

CheckpointSizes checkpoint_sizes(const SiglipConfig& vision, std::int64_t language_width, const Recipe& recipe);

/// The start of the 3D patch embedding: the backbone's 2D kernel, inflated; or drawn at random, as one would without
/// inflation.
enum class PatchEmbeddingStart { Inflated, Random };

struct CheckpointWeights {
  at::Tensor patch_weight;     // kPatchWeight (E, 1, kd, p, p)
  at::Tensor patch_bias;       // kPatchBias (E)
  at::Tensor depth_positions;  // kDepthPositions (Dp, E) float32; undefined if not learned
  Projector projector;         // projector.fc1.*, projector.fc2.*, vis_scale

  /// Strict, as every weight file. The depth positions and the gate stay float32; the rest takes `options`.
  static CheckpointWeights read(const std::string& file, const CheckpointSizes& sizes, at::TensorOptions options);

  /// Inflates the backbone's patch embedding or draws it (U(-a, a) with a = 1 / sqrt(fan_in), as torch.nn.Conv3d),
  /// zeroes the depth positions, draws the projector (Xavier uniform, gain 0.5, zero biases) and opens the gate (s =
  /// 1). What is drawn is a function of the seed alone, and the projector the same for either start.
  static CheckpointWeights initialise(const std::string& vision_dir, const SiglipConfig& vision,
                                      const CheckpointSizes& sizes, const Recipe& recipe, PatchEmbeddingStart start,
                                      std::uint64_t seed);

  /// The authors' `projector_vis_scale.pt`: projector and gate from the file (a missing gate is 1), the patch embedding
  /// from the backbone, since their file does not hold it.
  static CheckpointWeights import_peer(const std::string& file, const std::string& vision_dir,
                                       const SiglipConfig& vision, const CheckpointSizes& sizes, const Recipe& recipe);

  /// Every tensor with its name in the file; depth positions are left out where they are not learned.
  std::vector<std::pair<std::string, at::Tensor>> named_tensors() const;

  /// Writes float32, atomically.
  void write(const std::string& file) const;
};

}  // namespace brain3d::models
