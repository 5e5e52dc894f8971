// Launcher of the attention of one query.
#pragma once

#include <cstdint>

#include "ops/cuda/launch.h"

namespace brain3d::ops::cuda {

/// Attention of one query a sequence: q, out (B, Nh, Dh); keys, values (B, Nkv, length, Dh), of which the last two axes
/// are contiguous; mask (length), true = may attend, or null. Dh is 64, 128 or 256.
struct OneQueryAttention {
  const void *q, *keys, *values;
  const bool* mask;
  void* out;
  int batch, num_heads, num_kv_heads, head_dim, length;
  std::int64_t batch_stride, head_stride;  // the same for keys and values, in elements
  float scale;
};
cudaError_t one_query_attention(const OneQueryAttention& call, FloatType type, cudaStream_t stream);

}  // namespace brain3d::ops::cuda
