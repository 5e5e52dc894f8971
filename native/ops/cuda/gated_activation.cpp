#include "ops/gated_activation.h"

#include "ops/cuda/gated_activation.h"
#include "ops/cuda/unwrap.h"

namespace brain3d::ops::cuda {

namespace {

using LaunchGated = cudaError_t(const void* x, void* y, std::int64_t num_rows, int width, FloatType type,
                                cudaStream_t stream);

/// A gated activation: x (..., 2F) -> (..., F).
at::Tensor gated(const at::Tensor& x, LaunchGated* launch) {
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor rows = x.contiguous();
  std::vector<std::int64_t> sizes = rows.sizes().vec();
  sizes.back() /= 2;
  at::Tensor out = at::empty(sizes, rows.options());
  C10_CUDA_CHECK(launch(rows.const_data_ptr(), out.mutable_data_ptr(), num_rows(rows), to_int(sizes.back()),
                        float_type(rows), c10::cuda::getCurrentCUDAStream()));
  return out;
}

}  // namespace

at::Tensor gelu_tanh_mul(const at::Tensor& x) { return gated(x, gelu_tanh_mul); }
at::Tensor silu_mul(const at::Tensor& x) { return gated(x, silu_mul); }

}  // namespace brain3d::ops::cuda
