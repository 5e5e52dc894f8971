// A feed-forward block over a fused gate-up projection.
#pragma once

#include "nn/activation.h"
#include "nn/linear.h"

namespace brain3d::nn {

struct GatedMlp {
  Linear gate_up_proj;  // (2F, M): gate_proj above up_proj
  Linear down_proj;     // (M, F)
  Activation activation = Activation::GeluTanh;

  /// down( activation(gate(x)) * up(x) ); x (..., M) -> (..., M).
  /// `dropout` (null: off) acts in LoRA branches.
  at::Tensor forward(const at::Tensor& x, const Dropout* dropout = nullptr) const;
};

}  // namespace brain3d::nn
