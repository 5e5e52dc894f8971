// Which operations have a CUDA kernel, and their declarations. In a CPU build every answer is no and nothing links.
#pragma once

#include "core/torch.h"

namespace brain3d::ops {

#ifdef BRAIN3D_WITH_CUDA
/// True where a kernel of ours may replace the ATen implementation: on CUDA, outside autograd.
inline bool has_cuda_kernel(const at::Tensor& x) {
  return x.is_cuda() && !(c10::GradMode::is_enabled() && x.requires_grad());
}
#else
constexpr bool has_cuda_kernel(const at::Tensor&) { return false; }
#endif

namespace cuda {
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps);
}  // namespace cuda

}  // namespace brain3d::ops
