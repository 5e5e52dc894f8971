// Cosines and sines of the rotary embedding for a range of positions.
#pragma once

#include "device/torch.h"

namespace brain3d::nn {

/// inv_j = theta^(-2j / Dh) / factor; angle = position * inv_j, duplicated as [f, f].   [ROPE], linear scaling
/// The frequencies and angles are float32 whatever the model's dtype; only the cosines are rounded.
struct RotaryTable {
  at::Tensor cos;  // (max_length, Dh)
  at::Tensor sin;  // (max_length, Dh)

  static RotaryTable make(std::int64_t max_length, std::int64_t head_dim, double theta, double factor,
                          at::TensorOptions options);
};

}  // namespace brain3d::nn
