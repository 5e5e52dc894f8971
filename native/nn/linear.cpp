#include "nn/linear.h"

namespace brain3d::nn {

at::Tensor Linear::forward(const at::Tensor& x, const Dropout* dropout) const {
  const at::Tensor base = weight.linear(x, bias);
  if (lora.empty()) return base;
  const at::Tensor x32 = x.to(at::kFloat), base32 = base.to(at::kFloat);
  std::vector<at::Tensor> parts;  // parts of the output features, in order
  std::int64_t end = 0;
  const auto keep_base_until = [&](std::int64_t begin) {
    if (begin > end) parts.push_back(base32.narrow(-1, end, begin - end));
  };
  for (const LoraBranch& branch : lora) {
    keep_base_until(branch.out_begin);
    const at::Tensor input = dropout == nullptr ? x32 : dropout->apply(x32, branch.site);
    const at::Tensor delta = at::linear(at::linear(input, branch.lora_A), branch.lora_B);
    parts.push_back(at::add(base32.narrow(-1, branch.out_begin, delta.size(-1)), delta, branch.scaling));
    end = branch.out_begin + delta.size(-1);
  }
  keep_base_until(base32.size(-1));
  return at::cat(parts, -1).to(base.scalar_type());
}

}  // namespace brain3d::nn
