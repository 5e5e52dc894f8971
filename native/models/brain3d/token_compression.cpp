#include "models/brain3d/token_compression.h"

namespace brain3d::models {

at::Tensor compress_tokens(const at::Tensor& tokens, const Recipe& recipe, const PatchGrid& grid) {
  const at::Tensor channels_first = tokens.transpose(1, 2);  // (B, E, N)
  if (recipe.compression == Compression::Sequence)
    return at::adaptive_avg_pool1d(channels_first, {recipe.num_visual_tokens}).transpose(1, 2);
  const at::Tensor volume =
      channels_first.reshape({tokens.size(0), tokens.size(2), grid[0], grid[1], grid[2]});  // (B, E, Dp, Hp, Wp)
  return at::adaptive_avg_pool3d(volume, recipe.compression_grid).flatten(2).transpose(1, 2);
}

}  // namespace brain3d::models
