// Activations of an MLP, and the sum behind it, in place where autograd allows.
#pragma once

#include "device/torch.h"

namespace brain3d::ops {

/// GELU in its tanh form. Takes x over: without autograd it is overwritten, which halves the memory of an MLP's widest
/// tensor.
at::Tensor gelu_tanh(at::Tensor x);

/// GELU in its exact form, x * Phi(x). Takes x over, as gelu_tanh does.
at::Tensor gelu_erf(at::Tensor x);

/// a + b, into a's memory where autograd does not need a. Takes a over.
at::Tensor add_residual(at::Tensor a, const at::Tensor& b);

}  // namespace brain3d::ops
