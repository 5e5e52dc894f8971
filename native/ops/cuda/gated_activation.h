// Launchers of the gated activations.
#pragma once

#include <cstdint>

#include "ops/cuda/launch.h"

namespace brain3d::ops::cuda {

/// y = gelu_tanh(x[:, :width]) * x[:, width:]. x (num_rows, 2 width), y (num_rows, width).
cudaError_t gelu_tanh_mul(const void* x, void* y, std::int64_t num_rows, int width, FloatType type,
                          cudaStream_t stream);

/// y = silu(x[:, :width]) * x[:, width:], as above.
cudaError_t silu_mul(const void* x, void* y, std::int64_t num_rows, int width, FloatType type, cudaStream_t stream);

}  // namespace brain3d::ops::cuda
