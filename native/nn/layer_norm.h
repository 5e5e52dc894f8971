// Layer normalisation with scale and shift.
#pragma once

#include "device/torch.h"

namespace brain3d::nn {

struct LayerNorm {
  at::Tensor weight;  // (E)
  at::Tensor bias;    // (E)

  /// Over the last axis; x (..., E) -> (..., E).
  at::Tensor forward(const at::Tensor& x, double eps) const;
};

}  // namespace brain3d::nn
