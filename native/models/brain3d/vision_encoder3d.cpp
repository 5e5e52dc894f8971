#include "models/brain3d/vision_encoder3d.h"

#include <utility>

#include "base/error.h"

namespace brain3d::models {

at::Tensor embed_patches(const at::Tensor& volumes, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& positions, const Recipe& recipe) {
  const auto& size = recipe.volume_size;
  B3D_CHECK(volumes.dim() == 5 && volumes.size(1) == 1 && volumes.size(2) == size[0] && volumes.size(3) == size[1] &&
                volumes.size(4) == size[2],
            Shape, "expected preprocessed volumes (B, 1, ", size[0], ", ", size[1], ", ", size[2], "), got ",
            volumes.sizes(), "; run preprocess with the model's size");
  const auto patch = weight.size(-1);
  // (B, 1, D, H, W) -> (B, E, Dp, Hp, Wp) -> (B, N, E)
  const at::Tensor patches = at::conv3d(volumes.to(weight.options()), weight, bias, {recipe.depth_stride, patch, patch},
                                        {recipe.depth_padding, 0, 0});
  const at::Tensor tokens = patches.flatten(2).transpose(1, 2) + positions;
  return recipe.attention == Attention::Volume ? tokens : tokens.unflatten(1, {patches.size(2), -1}).flatten(0, 1);
}

at::Tensor gather_sequences(const at::Tensor& sequences, const Recipe& recipe, const PatchGrid& grid) {
  return recipe.attention == Attention::Volume ? sequences : sequences.unflatten(0, {-1, grid[0]}).mean(1);
}

at::Tensor volume_positions(const Recipe& recipe, const PatchGrid& grid, const at::Tensor& depth_table,
                            const at::Tensor& spatial) {
  switch (recipe.position) {
    case PositionScheme::Linear: return linear_positions(grid, spatial.size(-1));
    case PositionScheme::PretrainedSpatial:
      return decomposed_positions(at::zeros({grid[0], spatial.size(-1)}, spatial.options()), spatial);
    case PositionScheme::LearnedDepthPretrainedSpatial: break;
  }
  return decomposed_positions(depth_table.to(at::kFloat), spatial);
}

VisionEncoder3d::VisionEncoder3d(SiglipEncoder encoder, const Recipe& recipe, at::Tensor patch_weight,
                                 at::Tensor patch_bias, const at::Tensor& depth_table, const at::Tensor& position_table)
    : encoder_(std::move(encoder)),
      recipe_(recipe),
      grid_(recipe.patch_grid(encoder_.config().patch_size)),
      patch_weight_(std::move(patch_weight)),
      patch_bias_(std::move(patch_bias)),
      positions_(
          volume_positions(recipe, grid_, depth_table, interpolate_position_table(position_table, grid_[1], grid_[2]))
              .to(patch_weight_.options())) {}

at::Tensor VisionEncoder3d::forward(const at::Tensor& volumes, const CancelFlag* cancel) const {
  return gather_sequences(
      encoder_.forward(embed_patches(volumes, patch_weight_, patch_bias_, positions_, recipe_), cancel), recipe_,
      grid_);
}

std::int64_t VisionEncoder3d::num_parameters() const {
  return encoder_.num_parameters() + patch_weight_.numel() + patch_bias_.numel() + positions_.numel();
}

}  // namespace brain3d::models
