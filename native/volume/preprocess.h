// The paper's preprocessing: canonical axes, a brain without its skull, square in plane, percentile clip, resize. Each
// step is a function of a volume.
#pragma once

#include <memory>

#include "base/cancel.h"
#include "volume/volume.h"

namespace brain3d::volume {

struct PreprocessOptions {
  std::array<std::int64_t, 3> size{};  // (D, H, W)
  double lower_percentile = 0;
  double upper_percentile = 100;
  /// The mask of the brain (native/volume/brain_mask.h) on the volume's grid; without one all voxels are kept.
  std::shared_ptr<const Volume> mask = nullptr;
};

/// Throws Volume if a voxel is NaN or infinite. `source` follows "expected finite voxels" in the message.
void check_finite(const at::Tensor& voxels, const char* source = "",
                  const char* advice = "repair the volume before use");

/// Flips and permutes axes so that (D, H, W) run to Superior, Anterior, Right. No resampling; the affine follows.
Volume canonicalise(const Volume& volume);

/// Voxels (D, H, W) along canonical axes, brought to the axes of `own`: undoes `canonicalise`.
at::Tensor from_canonical(const at::Tensor& voxels, const Volume& own);

/// The value that stands for everything that is no image: outside of `mask` (image::background_level of the voxels in
/// it), or around a volume without one (its lower percentile). It follows an affine scaling of the intensities. Throws
/// Shape if the mask's sizes are others; Volume if a voxel is not finite, if the mask is empty, or if the percentiles
/// of what is kept coincide: there would be no image.
float background_level(const Volume& volume, const Volume* mask, double lower_percentile, double upper_percentile);

/// `background` outside of `mask`, which has 0 and 1 on the volume's grid.
Volume apply_mask(const Volume& volume, const Volume& mask, float background);

/// `background` around the shorter in-plane side, (n - m) / 2 of it before (rounded down), so that every source keeps
/// its proportions. A no-op for BraTS's 240 x 240.
Volume pad_to_square(const Volume& volume, float background);

/// clip((x - p_low) / (p_high - p_low), 0, 1) with percentiles of all voxels, background included (numpy's "linear"),
/// in double precision: the range of finite float32 voxels may be beyond float32.
/// Throws Volume if a voxel is not finite, or if the percentiles coincide: there would be no image.
Volume rescale_intensity(const Volume& volume, double lower_percentile, double upper_percentile);

/// Trilinear, align_corners false, no antialiasing. The affine follows voxel centres.
Volume resize(const Volume& volume, const std::array<std::int64_t, 3>& size);

/// apply_mask where one is given, canonicalise, pad_to_square, rescale_intensity, resize. -> `size`, [0, 1], RAS.
/// The result does not depend on voxels outside of the mask, nor (but for rounding) on an affine scaling of
/// intensities.
Volume preprocess(const Volume& volume, const PreprocessOptions& options, const CancelFlag& cancel);

}  // namespace brain3d::volume
