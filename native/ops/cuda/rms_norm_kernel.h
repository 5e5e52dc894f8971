// Launcher of the RMSNorm kernel: raw pointers only, so that nvcc compiles the .cu without ATen.
#pragma once

#include <cuda_runtime_api.h>
#include <cstdint>

namespace brain3d::ops::cuda {

enum class FloatType { Float32, BFloat16 };

/// x, y (num_rows, width), rows contiguous; scale (width) float32. Queued on `stream`.
cudaError_t rms_norm_forward_cuda(const void* x, const float* scale, void* y, std::int64_t num_rows, int width,
                                  float eps, FloatType type, cudaStream_t stream);

}  // namespace brain3d::ops::cuda
