#include "ops/gated_activation.h"

#include "ops/dispatch.h"

namespace brain3d::ops {

namespace cuda {  // defined in cuda/gated_activation.cpp
at::Tensor gelu_tanh_mul(const at::Tensor& x);
at::Tensor silu_mul(const at::Tensor& x);
}  // namespace cuda

at::Tensor gelu_tanh_mul(const at::Tensor& x) {
  if (has_cuda_kernel(x)) return cuda::gelu_tanh_mul(x);
  const auto halves = x.chunk(2, -1);
  at::Tensor gate = at::gelu(halves[0], "tanh");
  return c10::GradMode::is_enabled() ? gate * halves[1] : gate.mul_(halves[1]);
}

at::Tensor silu_mul(const at::Tensor& x) {
  if (has_cuda_kernel(x)) return cuda::silu_mul(x);
  const auto halves = x.chunk(2, -1);
  at::Tensor gate = at::silu(halves[0]);
  return c10::GradMode::is_enabled() ? gate * halves[1] : gate.mul_(halves[1]);
}

}  // namespace brain3d::ops
