// Which operations have a CUDA kernel, and their declarations. In a CPU build every answer is no and nothing links.
#pragma once

#include <cstdlib>

#include "device/torch.h"
#include "ops/ops.h"

namespace brain3d::ops {

#ifdef BRAIN3D_WITH_CUDA
/// BRAIN3D_KERNELS=off in the environment computes everything by ATen: to see what a kernel does to a number or a time.
inline bool kernels_enabled() {
  static const bool enabled = [] {
    const char* setting = std::getenv("BRAIN3D_KERNELS");
    return setting == nullptr || std::string(setting) != "off";
  }();
  return enabled;
}

/// True where a kernel of ours may replace the ATen implementation: on CUDA, in inference mode. Training stays with
/// ATen where it records nothing, too: a block that is computed again must give the bits that it gave the first time.
inline bool has_cuda_kernel(const at::Tensor& x) {
  return x.is_cuda() && c10::InferenceMode::is_enabled() && kernels_enabled();
}
#else
constexpr bool has_cuda_kernel(const at::Tensor&) { return false; }
#endif

/// The functions of ops.h of the same names; `can_...`: whether the kernel takes these shapes and layouts.
namespace cuda {
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps);
NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps);
bool can_split_heads(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values);
at::Tensor split_heads(const at::Tensor& qkv, const HeadRotation& rotation, const at::Tensor& positions,
                       const at::Tensor& keys, const at::Tensor& values);
at::Tensor gelu_tanh_mul(const at::Tensor& x);
at::Tensor silu_mul(const at::Tensor& x);
bool can_decode_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);
at::Tensor decode_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::optional<at::Tensor>& mask, double scale);
}  // namespace cuda

}  // namespace brain3d::ops
