// The way from a volume to pooled tokens, the same for inference and training: embed, blocks, gather, compress. The
// projector (projector.h) takes the tokens on to the language model.
#pragma once

#include <functional>

#include "models/brain3d/recipe.h"
#include "models/vision/position3d.h"
#include "models/vision/siglip.h"

namespace brain3d::models {

/// The tensors that the path needs beside the encoder's, in the dtype of the computation. Where a tensor comes from a
/// leaf, the leaf's gradient flows through it.
struct VisualPath {
  Recipe recipe;
  at::Tensor patch_weight;  // (E, 1, kd, p, p)
  at::Tensor patch_bias;    // (E)
  at::Tensor positions;     // P of eq. 2, (N, E)
};

/// Runs the blocks of an encoder over sequences (B, N, E) and takes them over.
using EncoderBlocks = std::function<at::Tensor(at::Tensor)>;

/// Runs the blocks one after another. `cancel` is checked before every block and may be null.
EncoderBlocks all_blocks(const SiglipEncoder& encoder, const CancelFlag* cancel);

/// Z_enc of volumes (B, 1, D, H, W), [0, 1], D to Superior, H to Anterior, W to Right -> (B, N, E); or, where each
/// plane is a sequence of its own, the mean over the planes (B, Hp * Wp, E). Throws Shape for volumes of another size
/// than the recipe's.
at::Tensor encode_patches(const VisualPath& path, const SiglipEncoder& encoder, const at::Tensor& volumes,
                          const EncoderBlocks& blocks);

/// Z_pool of Z_enc: (B, N, E) -> (B, K, E).   (paper eq. 3)
at::Tensor pool_tokens(const VisualPath& path, const at::Tensor& patch_tokens);

/// P of eq. 2 for a checkpoint's depth table (Dp, E), undefined where depth is not learned -> (N, E) float32. `spatial`
/// (Hp, Wp, E) is the backbone's table on the patch grid.
at::Tensor volume_positions(const Recipe& recipe, const PatchGrid& grid, const at::Tensor& depth_table,
                            const at::Tensor& spatial);

}  // namespace brain3d::models
