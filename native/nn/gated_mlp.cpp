#include "nn/gated_mlp.h"

#include "ops/ops.h"

namespace brain3d::nn {

at::Tensor GatedMlp::forward(const at::Tensor& x) const {
  return down_proj.forward(ops::gelu_tanh_mul(gate_up_proj.forward(x)));
}

}  // namespace brain3d::nn
