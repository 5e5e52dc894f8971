// Backward passes written by hand, for operations that autograd would take apart into many small ones.
#pragma once

#include "device/torch.h"

namespace brain3d::ops {

/// Whether what is computed from x is recorded for a backward pass.
inline bool is_recorded(const at::Tensor& x) { return c10::GradMode::is_enabled() && x.requires_grad(); }

/// `rms_norm` of a frozen scale: keeps x and one number a row.
at::Tensor rms_norm_recorded(const at::Tensor& x, const at::Tensor& scale, double eps);

/// `rotary` of fixed tables: keeps the tables alone. A rotation's backward pass is the rotation back.
at::Tensor rotary_recorded(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace brain3d::ops
