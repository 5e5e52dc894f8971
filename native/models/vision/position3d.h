// Position embeddings of the 3D patch grid, flattened with token index n = (z * Hp + y) * Wp + x.
#pragma once

#include <array>

#include "device/torch.h"

namespace brain3d::models {

using PatchGrid = std::array<std::int64_t, 3>;  // (Dp, Hp, Wp)
inline std::int64_t num_patches(const PatchGrid& grid) { return grid[0] * grid[1] * grid[2]; }

/// The pretrained square table resampled to the grid: bicubic (a = -0.75), align_corners false, no antialias, as the
/// library interpolates SigLIP positions. table (g * g, E) -> (Hp, Wp, E) float32.
at::Tensor interpolate_position_table(const at::Tensor& table, std::int64_t height, std::int64_t width);

/// P(z, y, x) = P_depth(z) + P_spatial(y, x).   (paper eq. 2)
/// depth_table (Dp, E), spatial (Hp, Wp, E) -> (N, E).
at::Tensor decomposed_positions(const at::Tensor& depth_table, const at::Tensor& spatial);

/// The positions of the authors' code: every component gets linspace(-1, 1, Dp)[z]; component 0 also linspace(-1, 1,
/// Hp)[y], component 1 also linspace(-1, 1, Wp)[x]. Nothing is learned or pretrained. -> (N, E) float32.
at::Tensor linear_positions(const PatchGrid& grid, std::int64_t width);

}  // namespace brain3d::models
