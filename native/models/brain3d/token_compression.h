// N patch tokens to K visual tokens.
#pragma once

#include "models/brain3d/recipe.h"
#include "models/vision/position3d.h"

namespace brain3d::models {

/// Z_pool = AdaptiveAvgPool(Z_enc).   (paper eq. 3)
/// `Sequence` pools the flattened sequence: at the paper's sizes a token is the mean of about two whole axial planes,
/// so left and right survive only inside feature content. `Grid` pools the (Dp, Hp, Wp) grid, K in row-major order.
/// tokens (B, N, E) -> (B, K, E), same dtype.
at::Tensor compress_tokens(const at::Tensor& tokens, const Recipe& recipe, const PatchGrid& grid);

}  // namespace brain3d::models
