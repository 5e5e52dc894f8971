// Does to an image what a scanner does: coil bias, thick slices, blur, noise, an arbitrary scale.
#pragma once

#include "image/image.h"
#include "simulate/noise.h"

namespace brain3d::simulate {

struct AcquisitionSpec {
  double bias = 0.15;  // standard deviation of the logarithm of the coil's sensitivity
  std::uint64_t bias_seed = 0;
  double slice_mm = 1;  // axial; thicker than the grid's, slices are acquired and then interpolated, as in BraTS
  double blur_mm = 0;   // in plane, standard deviation
  double noise = 0.02;  // the deviation of each channel in units of the signal (Rician)
  std::uint64_t noise_seed = 0;
  double gain = 1000;  // stored units per unit of signal
};

/// `signal` with voxel (0, 0, 0) at `origin_mm`. Non-negative.
image::Image<float> acquire(const image::Image<float>& signal, const Point& origin_mm, const AcquisitionSpec& spec);

}  // namespace brain3d::simulate
