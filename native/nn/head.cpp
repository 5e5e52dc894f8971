#include "nn/head.h"

#include <algorithm>

namespace brain3d::nn {

at::Tensor head_logits(const at::Tensor& hidden, const Weight& head) { return head.linear(hidden).to(at::kFloat); }

TokenLoss linear_cross_entropy(const at::Tensor& hidden, const Weight& head, const at::Tensor& labels,
                               const at::Tensor& weights, std::int64_t chunk_rows, bool with_gradient) {
  const at::NoGradGuard no_grad;
  const auto rows = hidden.size(0);
  TokenLoss out{at::empty({rows}, hidden.options().dtype(at::kFloat)), {}};
  if (with_gradient) out.gradient = at::empty_like(hidden);
  for (std::int64_t begin = 0; begin < rows; begin += chunk_rows) {
    const auto count = std::min(chunk_rows, rows - begin);
    const at::Tensor columns = labels.narrow(0, begin, count).unsqueeze(1);  // (r, 1)
    // (r, V) in place from here on: logits, log-probabilities, probabilities, gradient of the logits.
    at::Tensor logits = head_logits(hidden.narrow(0, begin, count), head);
    const at::Tensor largest = logits.amax(1, /*keepdim=*/true);
    logits.sub_(largest);
    const at::Tensor label_logits = logits.gather(1, columns);
    logits.exp_();
    const at::Tensor sums = logits.sum(1, /*keepdim=*/true);
    out.nlls.narrow(0, begin, count).copy_((sums.log() - label_logits).squeeze(1));
    if (!with_gradient) continue;
    const at::Tensor row_weights = weights.narrow(0, begin, count).unsqueeze(1);
    logits.mul_(row_weights / sums).scatter_add_(1, columns, -row_weights);
    head.backward_into(logits, out.gradient.narrow(0, begin, count));
  }
  return out;
}

}  // namespace brain3d::nn
