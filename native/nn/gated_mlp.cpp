#include "nn/gated_mlp.h"

#include "ops/ops.h"

namespace brain3d::nn {

at::Tensor GatedMlp::forward(const at::Tensor& x, const Dropout* dropout) const {
  return down_proj.forward(ops::gelu_tanh_mul(gate_up_proj.forward(x, dropout)), dropout);
}

}  // namespace brain3d::nn
