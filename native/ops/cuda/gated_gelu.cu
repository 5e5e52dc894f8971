// The gated activation in one pass over the fused projection, where ATen writes the gate's GELU and reads it again.
#include "ops/cuda/element.cuh"
#include "ops/cuda/kernels.h"

namespace brain3d::ops::cuda {

namespace {

constexpr int kThreads = 256;

/// As at::gelu(x, "tanh").
__device__ float gelu_tanh(float x) {
  constexpr float kBeta = 0.7978845608028654f;  // sqrt(2 / pi)
  return 0.5f * x * (1.0f + tanhf(kBeta * (x + 0.044715f * x * x * x)));
}

template <typename T>
__global__ void gelu_tanh_mul_kernel(const T* x, T* y, std::int64_t num_elements, int width) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= num_elements) return;
  const std::int64_t row = i / width;
  const std::int64_t gate = i + row * width;  // of a row twice as wide
  store(y, i, rounded<T>(gelu_tanh(load(x, gate))) * load(x, gate + width));
}

}  // namespace

cudaError_t gelu_tanh_mul(const void* x, void* y, std::int64_t num_rows, int width, FloatType type,
                          cudaStream_t stream) {
  const std::int64_t num_elements = num_rows * width;
  if (num_elements == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>((num_elements + kThreads - 1) / kThreads);
  if (type == FloatType::Float32) {
    gelu_tanh_mul_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const float*>(x), static_cast<float*>(y),
                                                          num_elements, width);
  } else {
    gelu_tanh_mul_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const __nv_bfloat16*>(x),
                                                          static_cast<__nv_bfloat16*>(y), num_elements, width);
  }
  return cudaGetLastError();
}

}  // namespace brain3d::ops::cuda
