// The inflated encoder of a loaded model: volume -> patch tokens -> pooled tokens.
#pragma once

#include "models/brain3d/visual_path.h"

namespace brain3d::models {

class VisionEncoder3d {
 public:
  /// `patch_weight` (E, 1, kd, p, p), `patch_bias` (E) and `depth_table` (Dp, E; undefined where depth is not learned)
  /// are the checkpoint's; `position_table` (g * g, E) is the backbone's.
  VisionEncoder3d(SiglipEncoder encoder, const Recipe& recipe, at::Tensor patch_weight, at::Tensor patch_bias,
                  const at::Tensor& depth_table, const at::Tensor& position_table);

  /// The same as `encode_patches`.
  at::Tensor forward(const at::Tensor& volumes, const CancelFlag* cancel) const;
  /// The same as `pool_tokens`.
  at::Tensor pool(const at::Tensor& patch_tokens) const { return pool_tokens(path_, patch_tokens); }

  /// The grid of Z_enc.
  PatchGrid token_grid() const { return path_.recipe.token_grid(encoder_.config().patch_size); }
  std::int64_t num_tokens() const { return num_patches(token_grid()); }
  std::int64_t width() const { return encoder_.config().hidden_size; }
  std::int64_t num_parameters() const;
  /// The bytes of all weights as they are held.
  std::int64_t weight_bytes() const;

 private:
  SiglipEncoder encoder_;
  VisualPath path_;  // positions computed once: every volume has the same grid
};

}  // namespace brain3d::models
