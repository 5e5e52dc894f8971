// Launchers of RMSNorm, alone and with the residual sum before it.
#pragma once

#include <cstdint>

#include "ops/cuda/launch.h"

namespace brain3d::ops::cuda {

/// y = rms_norm(x, scale) over rows of `width` elements. x, y (num_rows, width); scale (width) float32.
cudaError_t rms_norm(const void* x, const float* scale, void* y, std::int64_t num_rows, int width, float eps,
                     FloatType type, cudaStream_t stream);

/// sum = residual + rms_norm(x, scale), or residual + x where `scale` is null; and, unless `normed` is null,
/// normed = rms_norm(sum, next_scale).
struct AddRmsNorm {
  const void *residual, *x;
  const float *scale, *next_scale;
  void *sum, *normed;
};
cudaError_t add_rms_norm(const AddRmsNorm& call, std::int64_t num_rows, int width, float eps, FloatType type,
                         cudaStream_t stream);

}  // namespace brain3d::ops::cuda
