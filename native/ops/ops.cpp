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

at::Tensor grouped_query_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const std::optional<at::Tensor>& mask, double scale) {
  const auto batch = q.size(0), num_queries = q.size(1), num_heads = q.size(2), head_dim = q.size(3);
  const auto num_kv_heads = k.size(1), group = num_heads / num_kv_heads;
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
  const auto halves = x.chunk(2, -1);
  at::Tensor gate = at::gelu(halves[0], "tanh");
  return c10::GradMode::is_enabled() ? gate * halves[1] : gate.mul_(halves[1]);
}

}  // namespace brain3d::ops
