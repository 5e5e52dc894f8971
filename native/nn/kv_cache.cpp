#include "nn/kv_cache.h"

namespace brain3d::nn {

KvCache::KvCache(std::int64_t num_layers, std::int64_t batch, std::int64_t num_kv_heads, std::int64_t max_length,
                 std::int64_t head_dim, at::TensorOptions options) {
  for (std::int64_t layer = 0; layer < num_layers; ++layer) {
    // Zeros, not garbage: masked positions are read, and 0 * NaN would not vanish.
    keys_.push_back(at::zeros({batch, num_kv_heads, max_length, head_dim}, options));
    values_.push_back(at::zeros({batch, num_kv_heads, max_length, head_dim}, options));
  }
}

}  // namespace brain3d::nn
