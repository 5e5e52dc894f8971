// A gated activation in one pass over the fused projection, where ATen writes the gate's activation and reads it again.
#include "ops/cuda/element.cuh"
#include "ops/cuda/gated_activation.h"

namespace brain3d::ops::cuda {

namespace {

constexpr int kThreads = 256;

/// The same as at::gelu(x, "tanh").
struct GeluTanh {
  __device__ float operator()(float x) const {
    constexpr float kBeta = 0.7978845608028654f;  // sqrt(2 / pi)
    return 0.5f * x * (1.0f + tanhf(kBeta * (x + 0.044715f * x * x * x)));
  }
};

/// The same as at::silu(x).
struct Silu {
  __device__ float operator()(float x) const { return x / (1.0f + expf(-x)); }
};

template <typename T, typename Activation>
__global__ void gated_kernel(const T* x, T* y, std::int64_t num_elements, int width) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= num_elements) return;
  const std::int64_t row = i / width;
  const std::int64_t gate = i + row * width;  // an index into rows twice as wide
  store(y, i, rounded<T>(Activation()(load(x, gate))) * load(x, gate + width));
}

template <typename Activation>
cudaError_t launch(const void* x, void* y, std::int64_t num_rows, int width, FloatType type, cudaStream_t stream) {
  const std::int64_t num_elements = num_rows * width;
  if (num_elements == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>((num_elements + kThreads - 1) / kThreads);
  if (type == FloatType::Float32) {
    gated_kernel<float, Activation>
        <<<blocks, kThreads, 0, stream>>>(static_cast<const float*>(x), static_cast<float*>(y), num_elements, width);
  } else {
    gated_kernel<__nv_bfloat16, Activation><<<blocks, kThreads, 0, stream>>>(
        static_cast<const __nv_bfloat16*>(x), static_cast<__nv_bfloat16*>(y), num_elements, width);
  }
  return cudaGetLastError();
}

}  // namespace

cudaError_t gelu_tanh_mul(const void* x, void* y, std::int64_t num_rows, int width, FloatType type,
                          cudaStream_t stream) {
  return launch<GeluTanh>(x, y, num_rows, width, type, stream);
}

cudaError_t silu_mul(const void* x, void* y, std::int64_t num_rows, int width, FloatType type, cudaStream_t stream) {
  return launch<Silu>(x, y, num_rows, width, type, stream);
}

}  // namespace brain3d::ops::cuda
