// Tensor operations shared by every model: tensor in, tensor out, no state. Each has an ATen implementation that runs
// on any device; a CUDA kernel may stand behind the same function where a measurement shows that it pays.
// Shape letters: docs/notation.md.
#pragma once

#include <optional>

#include "device/torch.h"

namespace brain3d::ops {

/// RMSNorm over the last axis: x * rsqrt(mean(x^2) + eps) * scale, computed in float32 and rounded once.
/// x (..., M) any float dtype; scale (M) float32 (where a family stores weight - 1, already with the 1). Returns x's
/// dtype.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& scale, double eps);

struct NormedSum {
  at::Tensor sum, normed;
};

/// A layer's part, normed and added to the residual stream, and the norm that the next part reads:
/// sum = residual + rms_norm(x, scale), normed = rms_norm(sum, next_scale). Without a scale x is added as it is;
/// without a next_scale `normed` is undefined. All (..., M); scales (M) float32.
NormedSum add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const std::optional<at::Tensor>& scale,
                       const std::optional<at::Tensor>& next_scale, double eps);

/// Rotary embedding, half-split: x * cos + rotate_half(x) * sin.
/// x (B, S, Nh, Dh); cos, sin (S, Dh) in x's dtype. Returns x's shape.
at::Tensor rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

/// What a layer does to its query and key heads: RMSNorm over each where the model has one, then the rotary embedding.
struct HeadRotation {
  std::optional<at::Tensor> q_norm, k_norm;  // (Dh) float32; both or neither
  double eps;
  at::Tensor cos, sin;  // (S, Dh) in the heads' dtype
};

struct Heads {
  at::Tensor q, k, v;  // (B, S, Nh, Dh), (B, S, Nkv, Dh) twice
};

/// The heads of a fused projection qkv (B, S, Nh + 2 Nkv, Dh).
Heads split_heads(const at::Tensor& qkv, const HeadRotation& rotation, std::int64_t num_kv_heads);

/// The same with k and v written into keys, values (B, Nkv, T, Dh) at `positions` (S) int64. Returns q.
at::Tensor split_heads_into(const at::Tensor& qkv, const HeadRotation& rotation, const at::Tensor& positions,
                            const at::Tensor& keys, const at::Tensor& values);

/// Softmax attention with grouped key/value heads.
/// q (B, S, Nh, Dh); k, v (B, Nkv, T, Dh) with Nkv dividing Nh; mask (S, T) bool, true = may attend, or none for full
/// attention. Query head h reads key/value head h / (Nh / Nkv). Softmax in float32. Returns (B, S, Nh * Dh).
at::Tensor grouped_query_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const std::optional<at::Tensor>& mask, double scale);

/// GELU in its tanh form. Takes x over: without autograd it is overwritten, which halves the memory of an MLP's widest
/// tensor.
at::Tensor gelu_tanh(at::Tensor x);

/// GELU in its exact form, x * Phi(x). Takes x over, as gelu_tanh does.
at::Tensor gelu_erf(at::Tensor x);

/// a + b, into a's memory where autograd does not need a. Takes a over.
at::Tensor add_residual(at::Tensor a, const at::Tensor& b);

/// gelu_tanh(x[..., :F]) * x[..., F:], the gated activation over a fused gate-up projection. x (..., 2F) -> (..., F).
at::Tensor gelu_tanh_mul(const at::Tensor& x);

/// silu(x[..., :F]) * x[..., F:] with silu(g) = g * sigmoid(g). x (..., 2F) -> (..., F).
at::Tensor silu_mul(const at::Tensor& x);

}  // namespace brain3d::ops
