// Keys and values of past positions, preallocated for a whole generation.
#pragma once

#include <vector>

#include "device/torch.h"

namespace brain3d::nn {

class KvCache {
 public:
  /// Room for `max_length` positions of `batch` sequences: 2 * L * B * Nkv * max_length * Dh elements of `dtype`.
  KvCache(std::int64_t num_layers, std::int64_t batch, std::int64_t num_kv_heads, std::int64_t max_length,
          std::int64_t head_dim, at::TensorOptions options);

  /// (B, Nkv, max_length, Dh) of one layer, written where they lie.
  const at::Tensor& keys(std::size_t layer) const { return keys_[layer]; }
  const at::Tensor& values(std::size_t layer) const { return values_[layer]; }

 private:
  std::vector<at::Tensor> keys_;    // L x (B, Nkv, max_length, Dh), after rotary embedding
  std::vector<at::Tensor> values_;  // L x (B, Nkv, max_length, Dh)
};

}  // namespace brain3d::nn
