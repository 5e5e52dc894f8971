// Smoothing and resampling of voxel arrays.
#pragma once

#include "image/image.h"

namespace brain3d::image {

/// Gaussian of `sigma_mm` along (D, H, W), cut at three sigma; the edge's value continues beyond it. An axis with
/// sigma 0 stays as it is.
Image<float> gaussian_blur(const Image<float>& image, const Vector& sigma_mm);

/// Trilinear onto `size` voxels over the same field of view (align_corners false, as in preprocessing).
Image<float> resample(const Image<float>& image, const Size& size);

}  // namespace brain3d::image
