#include "models/brain3d/visual_path.h"

#include <utility>

#include "base/error.h"
#include "models/brain3d/token_compression.h"

namespace brain3d::models {

namespace {

std::int64_t patch_size(const VisualPath& path) { return path.patch_weight.size(-1); }

/// The inflated convolution and the positions: (B, 1, D, H, W) -> (B, N, E), or (B * Dp, Hp * Wp, E) where each plane
/// is a sequence of its own.
at::Tensor embed_patches(const VisualPath& path, const at::Tensor& volumes) {
  const Recipe& recipe = path.recipe;
  const auto& size = recipe.volume_size;
  B3D_CHECK(volumes.dim() == 5 && volumes.size(1) == 1 && volumes.size(2) == size[0] && volumes.size(3) == size[1] &&
                volumes.size(4) == size[2],
            Shape, "expected preprocessed volumes (B, 1, ", size[0], ", ", size[1], ", ", size[2], "), got ",
            volumes.sizes(), "; run preprocess with the model's size");
  // (B, 1, D, H, W) -> (B, E, Dp, Hp, Wp) -> (B, N, E)
  const at::Tensor patches =
      at::conv3d(volumes.to(path.patch_weight.options()), path.patch_weight, path.patch_bias,
                 {recipe.depth_stride, patch_size(path), patch_size(path)}, {recipe.depth_padding, 0, 0});
  const at::Tensor tokens = patches.flatten(2).transpose(1, 2) + path.positions;
  return recipe.attention == Attention::Volume ? tokens : tokens.unflatten(1, {patches.size(2), -1}).flatten(0, 1);
}

/// Sequences that left the encoder -> Z_enc: themselves, or the mean over each volume's planes.
at::Tensor gather_sequences(const VisualPath& path, const at::Tensor& sequences) {
  if (path.recipe.attention == Attention::Volume) return sequences;
  return sequences.unflatten(0, {-1, path.recipe.patch_grid(patch_size(path))[0]}).mean(1);
}

}  // namespace

EncoderBlocks all_blocks(const SiglipEncoder& encoder, const CancelFlag* cancel) {
  return [&encoder, cancel](at::Tensor x) { return encoder.run_blocks(std::move(x), cancel); };
}

at::Tensor encode_patches(const VisualPath& path, const SiglipEncoder& encoder, const at::Tensor& volumes,
                          const EncoderBlocks& blocks) {
  return gather_sequences(path, encoder.final_norm(blocks(embed_patches(path, volumes))));
}

at::Tensor pool_tokens(const VisualPath& path, const at::Tensor& patch_tokens) {
  return compress_tokens(patch_tokens, path.recipe, path.recipe.token_grid(patch_size(path)));
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

}  // namespace brain3d::models
