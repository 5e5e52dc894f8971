#include "models/vision/position3d.h"

#include <cmath>

namespace brain3d::models {

at::Tensor interpolate_position_table(const at::Tensor& table, std::int64_t height, std::int64_t width) {
  const auto side = std::llround(std::sqrt(static_cast<double>(table.size(0))));
  // (g * g, E) -> (1, E, g, g)
  const at::Tensor image = table.to(at::kFloat).view({side, side, table.size(1)}).permute({2, 0, 1}).unsqueeze(0);
  return at::upsample_bicubic2d(image, {height, width}, /*align_corners=*/false).squeeze(0).permute({1, 2, 0});
}

at::Tensor decomposed_positions(const at::Tensor& depth_table, const at::Tensor& spatial) {
  // (Dp, 1, 1, E) + (Hp, Wp, E) -> (Dp, Hp, Wp, E) -> (N, E)
  return (depth_table.unsqueeze(1).unsqueeze(1) + spatial).flatten(0, 2);
}

at::Tensor linear_positions(const PatchGrid& grid, std::int64_t width) {
  const auto ramp = [](std::int64_t size) { return at::linspace(-1.0, 1.0, size, at::kFloat); };
  at::Tensor positions = ramp(grid[0]).view({grid[0], 1, 1, 1}).expand({grid[0], grid[1], grid[2], width}).contiguous();
  positions.select(-1, 0) += ramp(grid[1]).view({1, grid[1], 1});
  positions.select(-1, 1) += ramp(grid[2]).view({1, 1, grid[2]});
  return positions.flatten(0, 2);
}

}  // namespace brain3d::models
