// The settings that distinguish one Brain3D from another: geometry of the inflated embedding, positions, token
// compression. Recipes have names in TypeScript; the core sees only these settings.
#pragma once

#include <array>
#include <cstdint>

namespace brain3d::models {

/// The way in which the three input channels of the 2D kernel become the one of an MRI. `Sum` keeps the response of a
/// grey image; `Mean`, the peer's, has a third of it.
enum class ChannelCollapse { Sum, Mean };

/// `LearnedDepthPretrainedSpatial`: eq. 2 of the paper. `PretrainedSpatial`: the backbone's alone, the same on every
/// plane. `Linear`: what the authors' code computes instead.
enum class PositionScheme { LearnedDepthPretrainedSpatial, PretrainedSpatial, Linear };

/// `Volume`: all patches of a volume attend to each other. `Slice`: those of one plane do, and the planes' tokens are
/// averaged: what a 2D encoder makes of a volume, the baseline that the paper argues against.
enum class Attention { Volume, Slice };

/// `Sequence`: eq. 3, average pooling over the flattened token sequence. `Grid`: over the 3D patch grid, which keeps
/// left and right apart.
enum class Compression { Sequence, Grid };

/// The values of the named recipes stand in TypeScript.
struct Recipe {
  ChannelCollapse channel_collapse = ChannelCollapse::Sum;
  PositionScheme position = PositionScheme::LearnedDepthPretrainedSpatial;
  Attention attention = Attention::Volume;
  Compression compression = Compression::Sequence;
  std::int64_t num_visual_tokens = 0;              // K
  std::array<std::int64_t, 3> compression_grid{};  // bins along (Dp, Hp, Wp)
  std::int64_t depth_kernel = 1;
  std::int64_t depth_stride = 1;
  std::int64_t depth_padding = 0;
  std::array<std::int64_t, 3> volume_size{};  // (D, H, W)

  /// (Dp, Hp, Wp) for a patch of `patch_size` voxels in plane; rows and columns beyond the last whole patch are not
  /// read. Throws Config if no patch fits or the compression does not suit the grid.
  std::array<std::int64_t, 3> patch_grid(std::int64_t patch_size) const;

  /// The grid of the encoder's output: `patch_grid`, or one plane of it where planes are averaged.
  std::array<std::int64_t, 3> token_grid(std::int64_t patch_size) const;
};

}  // namespace brain3d::models
