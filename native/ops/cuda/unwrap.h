// Unwraps tensors for the kernels.
#pragma once

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <optional>

#include "base/error.h"
#include "device/torch.h"
#include "ops/cuda/launch.h"

namespace brain3d::ops::cuda {

inline FloatType float_type(const at::Tensor& x) {
  B3D_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16, Internal,
            "expected float32 or bfloat16, got ", x.scalar_type());
  return x.scalar_type() == at::kFloat ? FloatType::Float32 : FloatType::BFloat16;
}

inline int to_int(std::int64_t value) { return static_cast<int>(value); }

/// The number of rows of the last axis.
inline std::int64_t num_rows(const at::Tensor& x) { return x.size(-1) == 0 ? 0 : x.numel() / x.size(-1); }

inline const float* scale_data(const std::optional<at::Tensor>& scale) {
  return scale ? scale->const_data_ptr<float>() : nullptr;
}

}  // namespace brain3d::ops::cuda
