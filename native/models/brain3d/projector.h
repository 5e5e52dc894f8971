// Projects tokens from the vision width to the language width, with a learned gate.
#pragma once

#include "nn/linear.h"

namespace brain3d::models {

struct Projector {
  nn::Linear fc1;        // (M, E)
  nn::Linear fc2;        // (M, M)
  at::Tensor vis_scale;  // s, 0-d float32

  /// W2 GELU(W1 z + b1) + b2, GELU in its erf form; z (.., E) -> (.., M).
  at::Tensor project(const at::Tensor& z) const;

  /// Z_vis = s * project(Z_pool).   (paper eq. 4)
  /// pooled (B, K, E) -> (B, K, M).
  at::Tensor forward(const at::Tensor& pooled) const;

  std::int64_t num_parameters() const;
  /// The bytes of all weights as they are held.
  std::int64_t weight_bytes() const;
};

}  // namespace brain3d::models
