// Launcher of the heads of a fused projection.
#pragma once

#include <cstdint>

#include "ops/cuda/launch.h"

namespace brain3d::ops::cuda {

inline constexpr int kMaxHeadDim = 512;

/// ops::split_heads_into: qkv (B, S, Nh + 2 Nkv, Dh) to q (B, S, Nh, Dh) and into keys, values (B, Nkv, max_length, Dh)
/// at positions (S). Dh is even and at most kMaxHeadDim. The two norms are null where the model has none.
struct SplitHeads {
  const void *qkv, *cos, *sin;
  const float *q_norm, *k_norm;
  const std::int64_t* positions;
  void *q, *keys, *values;
  int batch, count, num_heads, num_kv_heads, head_dim;
  std::int64_t max_length;
};
cudaError_t split_heads_into(const SplitHeads& call, float eps, FloatType type, cudaStream_t stream);

}  // namespace brain3d::ops::cuda
