#include "ops/ops.h"

#include "ops/autograd.h"
#include "ops/dispatch.h"
#include "ops/forward.h"

namespace brain3d::ops {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps) {
  if (is_recorded(x)) return rms_norm_recorded(x, scale, eps);
  if (has_cuda_kernel(x)) return cuda::rms_norm(x, scale, eps);
  return rms_norm_forward(x, scale, eps).y;
}

at::Tensor rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  return is_recorded(x) ? rotary_recorded(x, cos, sin) : rotary_forward(x, cos, sin);
}

NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps) {
  if (has_cuda_kernel(x)) return cuda::add_rms_norm(residual, x, scale, next_scale, eps);
  const at::Tensor sum = residual + (scale ? rms_norm(x, *scale, eps) : x);
  return {sum, next_scale ? rms_norm(sum, *next_scale, eps) : at::Tensor()};
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
  if (has_cuda_kernel(qkv) && cuda::can_split_heads(qkv, keys, values))
    return cuda::split_heads(qkv, rotation, positions, keys, values);
  const Heads heads = split_heads(qkv, rotation, keys.size(1));
  keys.index_copy_(2, positions, heads.k.transpose(1, 2));
  values.index_copy_(2, positions, heads.v.transpose(1, 2));
  return heads.q;
}

at::Tensor grouped_query_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const std::optional<at::Tensor>& mask, double scale) {
  const auto batch = q.size(0), num_queries = q.size(1), num_heads = q.size(2), head_dim = q.size(3);
  const auto num_kv_heads = k.size(1), group = num_heads / num_kv_heads;
  if (has_cuda_kernel(q) && cuda::can_decode_attention(q, k, v)) return cuda::decode_attention(q, k, v, mask, scale);
  // The heads of a group become further query rows of their one key/value head, so nothing is repeated in memory:
  // (B, S, Nkv, G, Dh) -> (B, Nkv, G * S, Dh).
  const at::Tensor queries = q.view({batch, num_queries, num_kv_heads, group, head_dim})
                                 .permute({0, 2, 3, 1, 4})
                                 .reshape({batch, num_kv_heads, group * num_queries, head_dim});
  std::optional<at::Tensor> rows;
  if (mask) rows = (group == 1 ? *mask : mask->repeat({group, 1})).view({1, 1, group * num_queries, k.size(2)});
  const at::Tensor out = at::scaled_dot_product_attention(queries, k, v, rows, /*dropout_p=*/0.0,
                                                          /*is_causal=*/false, scale);
  return out.reshape({batch, num_kv_heads, group, num_queries, head_dim})
      .permute({0, 3, 1, 2, 4})
      .reshape({batch, num_queries, num_heads * head_dim});
}

at::Tensor gelu_tanh(at::Tensor x) { return c10::GradMode::is_enabled() ? at::gelu(x, "tanh") : at::gelu_(x, "tanh"); }

at::Tensor gelu_erf(at::Tensor x) { return c10::GradMode::is_enabled() ? at::gelu(x, "none") : at::gelu_(x, "none"); }

at::Tensor add_residual(at::Tensor a, const at::Tensor& b) { return c10::GradMode::is_enabled() ? a + b : a.add_(b); }

at::Tensor gelu_tanh_mul(const at::Tensor& x) {
  if (has_cuda_kernel(x)) return cuda::gelu_tanh_mul(x);
  const auto halves = x.chunk(2, -1);
  at::Tensor gate = at::gelu(halves[0], "tanh");
  return c10::GradMode::is_enabled() ? gate * halves[1] : gate.mul_(halves[1]);
}

at::Tensor silu_mul(const at::Tensor& x) {
  if (has_cuda_kernel(x)) return cuda::silu_mul(x);
  const auto halves = x.chunk(2, -1);
  at::Tensor gate = at::silu(halves[0]);
  return c10::GradMode::is_enabled() ? gate * halves[1] : gate.mul_(halves[1]);
}

}  // namespace brain3d::ops
