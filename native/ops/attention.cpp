#include "ops/attention.h"

#include "ops/dispatch.h"

namespace brain3d::ops {

namespace cuda {  // defined in cuda/attention.cpp
bool can_attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);
at::Tensor grouped_query_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const std::optional<at::Tensor>& mask, double scale);
}  // namespace cuda

at::Tensor grouped_query_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const std::optional<at::Tensor>& mask, double scale) {
  const auto batch = q.size(0), num_queries = q.size(1), num_heads = q.size(2), head_dim = q.size(3);
  const auto num_kv_heads = k.size(1), group = num_heads / num_kv_heads;
  if (has_cuda_kernel(q) && cuda::can_attend(q, k, v)) return cuda::grouped_query_attention(q, k, v, mask, scale);
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

}  // namespace brain3d::ops
