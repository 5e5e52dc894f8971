// The inflated encoder: volume -> patch tokens.
#pragma once

#include "models/brain3d/recipe.h"
#include "models/vision/position3d.h"
#include "models/vision/siglip.h"

namespace brain3d::models {

/// The inflated convolution and the positions: volumes (B, 1, D, H, W) -> (B, N, E), before the encoder's blocks; or
/// (B * Dp, Hp * Wp, E) where each plane is a sequence of its own.
/// weight (E, 1, kd, p, p), bias (E), positions (N, E), all in the dtype of the computation. Throws Shape for volumes
/// of another size than the recipe's.
at::Tensor embed_patches(const at::Tensor& volumes, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& positions, const Recipe& recipe);

/// Z_enc of the sequences that left the encoder's last norm: themselves (B, N, E); or, of planes (B * Dp, Hp * Wp, E),
/// the mean over each volume's (B, Hp * Wp, E).
at::Tensor gather_sequences(const at::Tensor& sequences, const Recipe& recipe, const PatchGrid& grid);

/// P of eq. 2 for a checkpoint's depth table (Dp, E), undefined where depth is not learned -> (N, E) float32. `spatial`
/// (Hp, Wp, E) is the backbone's table on the patch grid.
at::Tensor volume_positions(const Recipe& recipe, const PatchGrid& grid, const at::Tensor& depth_table,
                            const at::Tensor& spatial);

class VisionEncoder3d {
 public:
  /// `patch_weight` (E, 1, kd, p, p), `patch_bias` (E) and `depth_table` (Dp, E; undefined where depth is not learned)
  /// are the checkpoint's; `position_table` (g * g, E) is the backbone's.
  VisionEncoder3d(SiglipEncoder encoder, const Recipe& recipe, at::Tensor patch_weight, at::Tensor patch_bias,
                  const at::Tensor& depth_table, const at::Tensor& position_table);

  /// volumes (B, 1, D, H, W), [0, 1], D to Superior, H to Anterior, W to Right -> Z_enc (B, N, E).
  at::Tensor forward(const at::Tensor& volumes, const CancelFlag* cancel) const;

  /// Of Z_enc.
  PatchGrid token_grid() const { return recipe_.token_grid(encoder_.config().patch_size); }
  std::int64_t num_tokens() const { return num_patches(token_grid()); }
  std::int64_t width() const { return encoder_.config().hidden_size; }
  std::int64_t num_parameters() const;

 private:
  SiglipEncoder encoder_;
  Recipe recipe_;
  PatchGrid grid_;
  at::Tensor patch_weight_;
  at::Tensor patch_bias_;
  at::Tensor positions_;  // (N, E), computed once: every volume has the same grid
};

}  // namespace brain3d::models
