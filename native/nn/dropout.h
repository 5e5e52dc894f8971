// Dropout that can be repeated.
#pragma once

#include <cstdint>

#include "core/torch.h"

namespace brain3d::nn {

/// Masks are a function of a seed and a site (a number for each place that drops), so that a layer which is computed
/// again in the backward pass, or a run that is resumed, has the masks it had.
class Dropout {
 public:
  /// 0 <= probability < 1.
  Dropout(double probability, std::uint64_t seed, at::Device device);

  /// x with each element zeroed with the probability, the others divided by 1 - probability.
  at::Tensor apply(const at::Tensor& x, std::uint64_t site) const;

 private:
  double probability_;
  std::uint64_t seed_;
  mutable at::Generator generator_;  // seeded anew for each mask
};

}  // namespace brain3d::nn
