// RMSNorm in one launch where ATen takes seven: decoding a token runs six norms a layer, each bound by its launch. With
// the residual sums before and after, six launches of a layer become three.
#include "ops/cuda/element.cuh"
#include "ops/cuda/rms_norm.h"

namespace brain3d::ops::cuda {

namespace {

constexpr int kThreads = 256;  // one block a row; widths are 256 (heads) to a few thousand

template <typename T>
__device__ float inverse_rms(const T* row, int width, float eps) {
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += kThreads) {
    const float value = load(row, i);
    squares += value * value;
  }
  return rsqrtf(block_sum<kThreads>(squares) / static_cast<float>(width) + eps);
}

template <typename T>
__global__ void rms_norm_kernel(const T* x, const float* scale, T* y, int width, float eps) {
  const T* row = x + static_cast<std::int64_t>(blockIdx.x) * width;
  T* out = y + static_cast<std::int64_t>(blockIdx.x) * width;
  const float inverse = inverse_rms(row, width, eps);
  for (int i = threadIdx.x; i < width; i += kThreads) store(out, i, load(row, i) * inverse * scale[i]);
}

template <typename T>
__global__ void add_rms_norm_kernel(const T* residual, const T* x, const float* scale, const float* next_scale, T* sum,
                                    T* normed, int width, float eps) {
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * width;
  const float inverse = scale == nullptr ? 1.0f : inverse_rms(x + begin, width, eps);
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += kThreads) {
    const float value = load(x, begin + i);
    const float added = scale == nullptr ? value : rounded<T>(value * inverse * scale[i]);
    const float total = rounded<T>(load(residual, begin + i) + added);
    store(sum, begin + i, total);
    squares += total * total;
  }
  if (normed == nullptr) return;
  const float next_inverse = rsqrtf(block_sum<kThreads>(squares) / static_cast<float>(width) + eps);
  // Each thread reads what it has written itself.
  for (int i = threadIdx.x; i < width; i += kThreads)
    store(normed, begin + i, load(sum, begin + i) * next_inverse * next_scale[i]);
}

template <typename T>
void launch(const AddRmsNorm& call, unsigned blocks, int width, float eps, cudaStream_t stream) {
  add_rms_norm_kernel<<<blocks, kThreads, 0, stream>>>(
      static_cast<const T*>(call.residual), static_cast<const T*>(call.x), call.scale, call.next_scale,
      static_cast<T*>(call.sum), static_cast<T*>(call.normed), width, eps);
}

}  // namespace

cudaError_t rms_norm(const void* x, const float* scale, void* y, std::int64_t num_rows, int width, float eps,
                     FloatType type, cudaStream_t stream) {
  if (num_rows == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>(num_rows);
  if (type == FloatType::Float32) {
    rms_norm_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const float*>(x), scale, static_cast<float*>(y), width,
                                                     eps);
  } else {
    rms_norm_kernel<<<blocks, kThreads, 0, stream>>>(static_cast<const __nv_bfloat16*>(x), scale,
                                                     static_cast<__nv_bfloat16*>(y), width, eps);
  }
  return cudaGetLastError();
}

cudaError_t add_rms_norm(const AddRmsNorm& call, std::int64_t num_rows, int width, float eps, FloatType type,
                         cudaStream_t stream) {
  if (num_rows == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>(num_rows);
  if (type == FloatType::Float32)
    launch<float>(call, blocks, width, eps, stream);
  else
    launch<__nv_bfloat16>(call, blocks, width, eps, stream);
  return cudaGetLastError();
}

}  // namespace brain3d::ops::cuda
