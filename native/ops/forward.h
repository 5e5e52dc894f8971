// The operations themselves, without their history: what ops.h and autograd.h share.
#pragma once

#include "device/torch.h"

namespace brain3d::ops {

struct Normed {
  at::Tensor y;            // x's dtype
  at::Tensor inverse_rms;  // (..., 1) float32
};

Normed rms_norm_forward(const at::Tensor& x, const at::Tensor& scale, double eps);

/// d of x for a gradient of y; in x's dtype, computed in float32.
at::Tensor rms_norm_backward(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& scale,
                             const at::Tensor& inverse_rms);

at::Tensor rotary_forward(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace brain3d::ops
