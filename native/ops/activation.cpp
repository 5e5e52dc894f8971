#include "ops/activation.h"

namespace brain3d::ops {

at::Tensor gelu_tanh(at::Tensor x) { return c10::GradMode::is_enabled() ? at::gelu(x, "tanh") : at::gelu_(x, "tanh"); }

at::Tensor gelu_erf(at::Tensor x) { return c10::GradMode::is_enabled() ? at::gelu(x, "none") : at::gelu_(x, "none"); }

at::Tensor add_residual(at::Tensor a, const at::Tensor& b) { return c10::GradMode::is_enabled() ? a + b : a.add_(b); }

}  // namespace brain3d::ops
