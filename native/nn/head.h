// The language model's head: logits of rows, and the loss of rows without holding all their logits.
#pragma once

#include "nn/weight.h"

namespace brain3d::nn {

/// hidden (.., M), head (V, M) -> (.., V) float32.
at::Tensor head_logits(const at::Tensor& hidden, const Weight& head);

struct TokenLoss {
  at::Tensor nlls;      // (R) float32, -log p of each label
  at::Tensor gradient;  // (R, M) of sum_r weights_r nll_r, in the dtype of `hidden`; undefined without `with_gradient`
};

/// Cross-entropy of the head's logits with labels, and its gradient, `chunk_rows` rows at a time: at most
/// chunk_rows * V logits exist, in float32.   (paper eq. 6 and 7)
/// The head is frozen, so its gradient is not computed; hidden's is what flows on.
/// hidden (R, M); head (V, M); labels (R) int64; weights (R) float32, read for the gradient only.
TokenLoss linear_cross_entropy(const at::Tensor& hidden, const Weight& head, const at::Tensor& labels,
                               const at::Tensor& weights, std::int64_t chunk_rows, bool with_gradient);

}  // namespace brain3d::nn
