#include "nn/linear.h"

namespace brain3d::nn {

at::Tensor Linear::forward(const at::Tensor& x) const {
  const at::Tensor base =
      at::linear(x, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::optional<at::Tensor>());
  if (lora.empty()) return base;
  const at::Tensor x32 = x.to(at::kFloat);
  at::Tensor sum = base.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  for (const LoraBranch& branch : lora) {
    const at::Tensor delta = at::linear(at::linear(x32, branch.lora_A), branch.lora_B);
    sum.narrow(-1, branch.out_begin, branch.lora_B.size(0)).add_(delta, branch.scaling);
  }
  return sum.to(base.scalar_type());
}

}  // namespace brain3d::nn
