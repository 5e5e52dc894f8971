#include "models/language/attention_mask.h"

namespace brain3d::models {

at::Tensor causal_mask(const at::Tensor& positions, std::int64_t length) {
  return at::arange(length, positions.options()) <= positions.unsqueeze(1);  // (length) against (S, 1)
}

at::Tensor within_window(const at::Tensor& mask, const at::Tensor& positions, std::int64_t window) {
  return mask.logical_and(at::arange(mask.size(1), positions.options()) > positions.unsqueeze(1) - window);
}

at::Tensor with_bidirectional_blocks(const at::Tensor& mask, const at::Tensor& block_ids) {
  const at::Tensor same = (block_ids.unsqueeze(0) == block_ids.unsqueeze(1)).logical_and(block_ids.unsqueeze(1) >= 0);
  return mask.logical_or(same);
}

}  // namespace brain3d::models
