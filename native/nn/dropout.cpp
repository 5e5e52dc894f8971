#include "nn/dropout.h"

#include <ATen/Context.h>

#include "core/rng.h"

namespace brain3d::nn {

Dropout::Dropout(double probability, std::uint64_t seed, at::Device device)
    : probability_(probability), seed_(seed), generator_(at::globalContext().defaultGenerator(device).clone()) {}

at::Tensor Dropout::apply(const at::Tensor& x, std::uint64_t site) const {
  if (probability_ == 0) return x;
  generator_.set_current_seed(SplitMix64(seed_ ^ SplitMix64(site).next()).next());
  const at::Tensor kept = at::empty(x.sizes(), x.options()).bernoulli_(1.0 - probability_, generator_);
  return x * kept.div_(1.0 - probability_);
}

}  // namespace brain3d::nn
