#include "nn/kv_cache.h"

namespace brain3d::nn {

KvCache::KvCache(std::int64_t num_layers, std::int64_t batch, std::int64_t num_kv_heads, std::int64_t max_length,
                 std::int64_t head_dim, at::TensorOptions options)
    : max_length_(max_length) {
  for (std::int64_t layer = 0; layer < num_layers; ++layer) {
    // Zeros, not garbage: masked positions are read, and 0 * NaN would not vanish.
    keys_.push_back(at::zeros({batch, num_kv_heads, max_length, head_dim}, options));
    values_.push_back(at::zeros({batch, num_kv_heads, max_length, head_dim}, options));
  }
}

std::pair<at::Tensor, at::Tensor> KvCache::append(std::int64_t layer, const at::Tensor& positions, const at::Tensor& k,
                                                  const at::Tensor& v, std::int64_t length) {
  at::Tensor& keys = keys_[static_cast<std::size_t>(layer)];
  at::Tensor& values = values_[static_cast<std::size_t>(layer)];
  keys.index_copy_(2, positions, k.transpose(1, 2));
  values.index_copy_(2, positions, v.transpose(1, 2));
  return {keys.narrow(2, 0, length), values.narrow(2, 0, length)};
}

}  // namespace brain3d::nn
