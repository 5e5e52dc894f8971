#include "ops/heads.h"

#include <torch/csrc/autograd/custom_function.h>

#include "ops/dispatch.h"
#include "ops/recorded.h"
#include "ops/rms_norm.h"

namespace brain3d::ops {

namespace cuda {  // defined in cuda/heads.cpp
bool can_split_heads_into(const at::Tensor& qkv, const at::Tensor& keys, const at::Tensor& values);
at::Tensor split_heads_into(const at::Tensor& qkv, const HeadRotation& rotation, const at::Tensor& positions,
                            const at::Tensor& keys, const at::Tensor& values);
}  // namespace cuda

namespace {

at::Tensor rotary_forward(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  const at::Tensor rotated = at::cat({halves[1].neg(), halves[0]}, -1);
  return (x * cos.unsqueeze(1)).add_(rotated.mul_(sin.unsqueeze(1)));  // (S, 1, Dh) against (B, S, Nh, Dh)
}

/// The rotation by fixed tables, whose history is the tables alone: the backward pass is the rotation back.
struct Rotary : torch::autograd::Function<Rotary> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotary_forward(x, cos, sin);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {rotary_forward(gradients[0], saved[0], saved[1].neg()), {}, {}};
  }
};

}  // namespace

at::Tensor rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  return is_recorded(x) ? Rotary::apply(x, cos, sin) : rotary_forward(x, cos, sin);
}

Heads split_heads(const at::Tensor& qkv, const HeadRotation& rotation, std::int64_t num_kv_heads) {
  const auto& [q_norm, k_norm, eps, cos, sin] = rotation;
  const auto parts = qkv.split_with_sizes({qkv.size(2) - 2 * num_kv_heads, num_kv_heads, num_kv_heads}, 2);
  const at::Tensor q = q_norm ? rms_norm(parts[0], *q_norm, eps) : parts[0];
  const at::Tensor k = k_norm ? rms_norm(parts[1], *k_norm, eps) : parts[1];
  return {rotary(q, cos, sin), rotary(k, cos, sin), parts[2]};
}

at::Tensor split_heads_into(const at::Tensor& qkv, const HeadRotation& rotation, const at::Tensor& positions,
                            const at::Tensor& keys, const at::Tensor& values) {
  if (has_cuda_kernel(qkv) && cuda::can_split_heads_into(qkv, keys, values))
    return cuda::split_heads_into(qkv, rotation, positions, keys, values);
  const Heads heads = split_heads(qkv, rotation, keys.size(1));
  keys.index_copy_(2, positions, heads.k.transpose(1, 2));
  values.index_copy_(2, positions, heads.v.transpose(1, 2));
  return heads.q;
}

}  // namespace brain3d::ops
