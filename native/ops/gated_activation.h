// Gated activations over a fused gate-up projection.
#pragma once

#include "device/torch.h"

namespace brain3d::ops {

/// gelu_tanh(x[..., :F]) * x[..., F:], the gated activation over a fused gate-up projection. x (..., 2F) -> (..., F).
at::Tensor gelu_tanh_mul(const at::Tensor& x);

/// silu(x[..., :F]) * x[..., F:] with silu(g) = g * sigmoid(g). x (..., 2F) -> (..., F).
at::Tensor silu_mul(const at::Tensor& x);

}  // namespace brain3d::ops
