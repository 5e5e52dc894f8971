// Attention with grouped key and value heads.
#pragma once

#include <optional>

#include "device/torch.h"

namespace brain3d::ops {

/// Softmax attention with grouped key/value heads.
/// q (B, S, Nh, Dh); k, v (B, Nkv, T, Dh) with Nkv dividing Nh; mask (S, T) bool, true = may attend, or none for full
/// attention. Query head h reads key/value head h / (Nh / Nkv). Softmax in float32. Returns (B, S, Nh * Dh).
at::Tensor grouped_query_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const std::optional<at::Tensor>& mask, double scale);

}  // namespace brain3d::ops
