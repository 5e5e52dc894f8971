// The paper's preprocessing: canonical axes, square in plane, percentile clip, resize. Each step is a function of a
// volume; skull-stripping, where it is asked for, belongs between `canonicalise` and `pad_to_square`.
#pragma once

#include "core/cancel.h"
#include "data/volume.h"

namespace brain3d::data {

struct PreprocessOptions {
  std::array<std::int64_t, 3> size{64, 128, 128};  // (D, H, W)
  double lower_percentile = 1;
  double upper_percentile = 99;
};

/// Flips and permutes axes so that (D, H, W) run to Superior, Anterior, Right. No resampling; the affine follows.
Volume canonicalise(const Volume& volume);

/// Zeros around the shorter in-plane side, (n - m) / 2 of them before (rounded down), so that every source keeps its
/// proportions. A no-op for BraTS's 240 x 240.
Volume pad_to_square(const Volume& volume);

/// clip((x - p_low) / (p_high - p_low), 0, 1) with percentiles of all voxels, background included (numpy's "linear").
/// Throws Volume if a voxel is not finite, or if the percentiles coincide: there would be no image.
Volume rescale_intensity(const Volume& volume, double lower_percentile, double upper_percentile);

/// Trilinear, align_corners false, no antialiasing. The affine follows voxel centres.
Volume resize(const Volume& volume, const std::array<std::int64_t, 3>& size);

/// canonicalise, pad_to_square, rescale_intensity, resize. -> `size`, [0, 1], RAS.
Volume preprocess(const Volume& volume, const PreprocessOptions& options, const CancelFlag& cancel);

}  // namespace brain3d::data
