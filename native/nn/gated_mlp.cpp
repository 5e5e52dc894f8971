#include "nn/gated_mlp.h"

#include "ops/gated_activation.h"

namespace brain3d::nn {

at::Tensor GatedMlp::forward(const at::Tensor& x, const Dropout* dropout) const {
  const at::Tensor both = gate_up_proj.forward(x, dropout);
  const at::Tensor inner = activation == Activation::Silu ? ops::silu_mul(both) : ops::gelu_tanh_mul(both);
  return down_proj.forward(inner, dropout);
}

}  // namespace brain3d::nn
