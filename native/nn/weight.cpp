#include "nn/weight.h"

namespace brain3d::nn {

at::Tensor Weight::linear(const at::Tensor& x, const at::Tensor& bias) const {
  return at::linear(x, values_, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
}

at::Tensor Weight::rows(const at::Tensor& ids) const { return at::embedding(values_, ids); }

void Weight::backward_into(const at::Tensor& gradient, const at::Tensor& out) const {
  at::Tensor result = out;
  at::mm_out(result, gradient.to(out.scalar_type()), values_);
}

}  // namespace brain3d::nn
