// Unwraps tensors for the RMSNorm kernel.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "core/error.h"
#include "ops/cuda/rms_norm_kernel.h"
#include "ops/dispatch.h"

namespace brain3d::ops::cuda {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps) {
  B3D_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, Internal,
            "rms_norm: expected float32 or bfloat16, got ", x.scalar_type());
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor rows = x.contiguous();
  at::Tensor out = at::empty_like(rows);
  const auto width = rows.size(-1);
  const auto type = x.scalar_type() == at::kFloat ? FloatType::Float32 : FloatType::BFloat16;
  C10_CUDA_CHECK(rms_norm_forward_cuda(rows.const_data_ptr(), scale.const_data_ptr<float>(), out.mutable_data_ptr(),
                                       rows.numel() / width, static_cast<int>(width), static_cast<float>(eps), type,
                                       c10::cuda::getCurrentCUDAStream()));
  return out;
}

}  // namespace brain3d::ops::cuda
