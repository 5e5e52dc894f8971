#include "ops/rms_norm.h"

#include "ops/cuda/rms_norm.h"
#include "ops/cuda/unwrap.h"

namespace brain3d::ops::cuda {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps) {
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor rows = x.contiguous();
  at::Tensor out = at::empty_like(rows);
  C10_CUDA_CHECK(rms_norm(rows.const_data_ptr(), scale.const_data_ptr<float>(), out.mutable_data_ptr(), num_rows(rows),
                          to_int(rows.size(-1)), static_cast<float>(eps), float_type(rows),
                          c10::cuda::getCurrentCUDAStream()));
  return out;
}

NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps) {
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor before = residual.contiguous(), rows = x.contiguous();
  NormedSum out{at::empty_like(rows), next_scale ? at::empty_like(rows) : at::Tensor()};
  const AddRmsNorm call{before.const_data_ptr(),    rows.const_data_ptr(),
                        scale_data(scale),          scale_data(next_scale),
                        out.sum.mutable_data_ptr(), next_scale ? out.normed.mutable_data_ptr() : nullptr};
  C10_CUDA_CHECK(add_rms_norm(call, num_rows(rows), to_int(rows.size(-1)), static_cast<float>(eps), float_type(rows),
                              c10::cuda::getCurrentCUDAStream()));
  return out;
}

}  // namespace brain3d::ops::cuda
