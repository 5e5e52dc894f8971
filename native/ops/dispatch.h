// Tells where a CUDA kernel may stand in for an operation's ATen implementation. In a CPU build it never may, and the
// compiler drops the calls of functions that such a build does not have.
#pragma once

#include <cstdlib>
#include <string>

#include "device/torch.h"

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

}  // namespace brain3d::ops
