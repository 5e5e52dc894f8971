// RMSNorm in one launch where ATen takes seven: decoding one token runs six norms a layer, each bound by its launch.
#include "ops/cuda/rms_norm_kernel.h"

#include <cuda_bf16.h>

namespace brain3d::ops::cuda {

namespace {

constexpr int kThreads = 256;  // one block a row; widths are 256 (heads) to a few thousand
constexpr int kWarps = kThreads / 32;

__device__ float load(const float* x, int i) { return x[i]; }
__device__ float load(const __nv_bfloat16* x, int i) { return __bfloat162float(x[i]); }
__device__ void store(float* y, int i, float value) { y[i] = value; }
__device__ void store(__nv_bfloat16* y, int i, float value) { y[i] = __float2bfloat16_rn(value); }

/// Sum over the block, returned to every thread.
__device__ float block_sum(float value) {
  __shared__ float partial[kWarps];
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0.0f;
  for (int warp = 0; warp < kWarps; ++warp) sum += partial[warp];
  return sum;
}

template <typename T>
__global__ void rms_norm_forward_kernel(const T* x, const float* scale, T* y, int width, float eps) {
  const T* row = x + static_cast<std::int64_t>(blockIdx.x) * width;
  T* out = y + static_cast<std::int64_t>(blockIdx.x) * width;
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += kThreads) {
    const float value = load(row, i);
    squares += value * value;
  }
  const float inverse_rms = rsqrtf(block_sum(squares) / static_cast<float>(width) + eps);
  for (int i = threadIdx.x; i < width; i += kThreads) store(out, i, load(row, i) * inverse_rms * scale[i]);
}

}  // namespace

cudaError_t rms_norm_forward_cuda(const void* x, const float* scale, void* y, std::int64_t num_rows, int width,
                                  float eps, FloatType type, cudaStream_t stream) {
  if (num_rows == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>(num_rows);
  if (type == FloatType::Float32) {
    rms_norm_forward_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const float*>(x), scale,
                                                             static_cast<float*>(y), width, eps);
  } else {
    rms_norm_forward_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const __nv_bfloat16*>(x), scale,
                                                             static_cast<__nv_bfloat16*>(y), width, eps);
  }
  return cudaGetLastError();
}

}  // namespace brain3d::ops::cuda
