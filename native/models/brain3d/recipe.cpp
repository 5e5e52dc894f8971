#include "models/brain3d/recipe.h"

#include "base/error.h"

namespace brain3d::models {

std::array<std::int64_t, 3> Recipe::patch_grid(std::int64_t patch_size) const {
  const std::int64_t depth_span = volume_size[0] + 2 * depth_padding - depth_kernel;
  B3D_CHECK(depth_span >= 0 && volume_size[1] >= patch_size && volume_size[2] >= patch_size, Config, "a volume of ",
            volume_size[0], " x ", volume_size[1], " x ", volume_size[2], " holds no patch of ", depth_kernel, " x ",
            patch_size, " x ", patch_size);
  const std::array<std::int64_t, 3> grid{depth_span / depth_stride + 1, volume_size[1] / patch_size,
                                         volume_size[2] / patch_size};
  const std::int64_t planes = attention == Attention::Slice ? 1 : grid[0];
  const std::int64_t num_tokens = planes * grid[1] * grid[2];
  B3D_CHECK(num_visual_tokens >= 1 && num_visual_tokens <= num_tokens, Config, "cannot pool ", num_tokens,
            " patch tokens to ", num_visual_tokens, " visual tokens");
  if (compression == Compression::Grid)
    B3D_CHECK(compression_grid[0] * compression_grid[1] * compression_grid[2] == num_visual_tokens, Config,
              "compression_grid ", compression_grid[0], " x ", compression_grid[1], " x ", compression_grid[2],
              " does not make ", num_visual_tokens, " visual tokens");
  return grid;
}

std::array<std::int64_t, 3> Recipe::token_grid(std::int64_t patch_size) const {
  std::array<std::int64_t, 3> grid = patch_grid(patch_size);
  if (attention == Attention::Slice) grid[0] = 1;
  return grid;
}

}  // namespace brain3d::models
