// Elements of tensors in kernels: read as float32, computed in float32, rounded to the tensor's type once.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

namespace brain3d::ops::cuda {

__device__ inline float load(const float* x, std::int64_t i) { return x[i]; }
__device__ inline float load(const __nv_bfloat16* x, std::int64_t i) { return __bfloat162float(x[i]); }
__device__ inline void store(float* y, std::int64_t i, float value) { y[i] = value; }
__device__ inline void store(__nv_bfloat16* y, std::int64_t i, float value) { y[i] = __float2bfloat16_rn(value); }

/// The value that a tensor of type T would hold where ATen keeps an intermediate result in one.
template <typename T>
__device__ inline float rounded(float value);
template <>
__device__ inline float rounded<float>(float value) {
  return value;
}
template <>
__device__ inline float rounded<__nv_bfloat16>(float value) {
  return __bfloat162float(__float2bfloat16_rn(value));
}

/// kCount neighbouring elements in loads as wide as they allow. `x` is aligned to their size, at most to 16 bytes.
template <typename T, int kCount>
__device__ inline void load_vector(const T* x, float (&values)[kCount]) {
  struct alignas(sizeof(T) * kCount < 16 ? sizeof(T) * kCount : 16) Vector {
    T elements[kCount];
  };
  const Vector vector = *reinterpret_cast<const Vector*>(x);
#pragma unroll
  for (int i = 0; i < kCount; ++i) values[i] = load(vector.elements, i);
}

/// The sum over a block of kThreads, for every thread.
template <int kThreads>
__device__ inline float block_sum(float value) {
  constexpr int kWarps = kThreads / 32;
  __shared__ float partial[kWarps];
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  __syncthreads();  // a former call may still be read
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0.0f;
  for (int warp = 0; warp < kWarps; ++warp) sum += partial[warp];
  return sum;
}

}  // namespace brain3d::ops::cuda
