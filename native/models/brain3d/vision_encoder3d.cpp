#include "models/brain3d/vision_encoder3d.h"

#include <utility>

namespace brain3d::models {

VisionEncoder3d::VisionEncoder3d(SiglipEncoder encoder, const Recipe& recipe, at::Tensor patch_weight,
                                 at::Tensor patch_bias, const at::Tensor& depth_table, const at::Tensor& position_table)
    : encoder_(std::move(encoder)), path_{recipe, std::move(patch_weight), std::move(patch_bias), {}} {
  const PatchGrid grid = recipe.patch_grid(encoder_.config().patch_size);
  const at::Tensor spatial = interpolate_position_table(position_table, grid[1], grid[2]);
  path_.positions = volume_positions(recipe, grid, depth_table, spatial).to(path_.patch_weight.options());
}

at::Tensor VisionEncoder3d::forward(const at::Tensor& volumes, const CancelFlag* cancel) const {
  return encode_patches(path_, encoder_, volumes, all_blocks(encoder_, cancel));
}

std::int64_t VisionEncoder3d::num_parameters() const {
  return encoder_.num_parameters() + path_.patch_weight.numel() + path_.patch_bias.numel() + path_.positions.numel();
}

std::int64_t VisionEncoder3d::weight_bytes() const {
  return encoder_.weight_bytes() +
         static_cast<std::int64_t>(path_.patch_weight.nbytes() + path_.patch_bias.nbytes() + path_.positions.nbytes());
}

}  // namespace brain3d::models
