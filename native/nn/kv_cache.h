// Keys and values of past positions, preallocated for a whole generation.
#pragma once

#include <utility>
#include <vector>

#include "core/torch.h"

namespace brain3d::nn {

class KvCache {
 public:
  /// Room for `max_length` positions of `batch` sequences: 2 * L * B * Nkv * max_length * Dh elements of `dtype`.
  KvCache(std::int64_t num_layers, std::int64_t batch, std::int64_t num_kv_heads, std::int64_t max_length,
          std::int64_t head_dim, at::TensorOptions options);

  /// Writes k, v (B, S, Nkv, Dh) at `positions` (S) int64 of one layer and returns the first `length` positions of
  /// its keys and values, (B, Nkv, length, Dh) views. `positions` lies on the device, so that a captured step can be
  /// replayed for another position; `length` is the host's upper bound for it.
  std::pair<at::Tensor, at::Tensor> append(std::int64_t layer, const at::Tensor& positions, const at::Tensor& k,
                                           const at::Tensor& v, std::int64_t length);

  std::int64_t max_length() const { return max_length_; }

 private:
  std::int64_t max_length_;
  std::vector<at::Tensor> keys_;    // L x (B, Nkv, max_length, Dh), after rotary embedding
  std::vector<at::Tensor> values_;  // L x (B, Nkv, max_length, Dh)
};

}  // namespace brain3d::nn
