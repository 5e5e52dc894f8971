// Query, key and value heads of a fused projection, and their rotary embedding.
#pragma once

#include <optional>

#include "device/torch.h"

namespace brain3d::ops {

/// Rotary embedding, half-split: x * cos + rotate_half(x) * sin.
/// x (B, S, Nh, Dh); cos, sin (S, Dh) in x's dtype. Returns x's shape.
at::Tensor rotary(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

/// The treatment of a layer's query and key heads: RMSNorm over each where the model has one, then the rotary
/// embedding.
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

}  // namespace brain3d::ops
