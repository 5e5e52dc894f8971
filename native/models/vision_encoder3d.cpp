#include "models/vision_encoder3d.h"

#include <utility>

#include "core/error.h"

namespace brain3d::models {

VisionEncoder3d::VisionEncoder3d(SiglipEncoder encoder, const Recipe& recipe, at::Tensor patch_weight,
                                 at::Tensor patch_bias, const at::Tensor& depth_table, const at::Tensor& position_table)
    : encoder_(std::move(encoder)),
      recipe_(recipe),
      grid_(recipe.patch_grid(encoder_.config().patch_size)),
      patch_weight_(std::move(patch_weight)),
      patch_bias_(std::move(patch_bias)) {
  at::Tensor positions = recipe.position == PositionScheme::Linear
                             ? linear_positions(grid_, width())
                             : decomposed_positions(depth_table.to(at::kFloat),
                                                    interpolate_position_table(position_table, grid_[1], grid_[2]));
  positions_ = positions.to(patch_weight_.options());
}

at::Tensor VisionEncoder3d::forward(const at::Tensor& volumes, const CancelFlag* cancel) const {
  const auto& size = recipe_.volume_size;
  B3D_CHECK(volumes.dim() == 5 && volumes.size(1) == 1 && volumes.size(2) == size[0] && volumes.size(3) == size[1] &&
                volumes.size(4) == size[2],
            Shape, "expected preprocessed volumes (B, 1, ", size[0], ", ", size[1], ", ", size[2], "), got ",
            volumes.sizes(), "; run preprocess with the model's size");
  const auto patch = patch_weight_.size(-1);
  // (B, 1, D, H, W) -> (B, E, Dp, Hp, Wp) -> (B, N, E)
  const at::Tensor patches = at::conv3d(volumes.to(patch_weight_.options()), patch_weight_, patch_bias_,
                                        {recipe_.depth_stride, patch, patch}, {recipe_.depth_padding, 0, 0});
  return encoder_.forward(patches.flatten(2).transpose(1, 2) + positions_, cancel);
}

std::int64_t VisionEncoder3d::num_parameters() const {
  return encoder_.num_parameters() + patch_weight_.numel() + patch_bias_.numel() + positions_.numel();
}

}  // namespace brain3d::models
