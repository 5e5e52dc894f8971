#include "train/contrastive.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace brain3d::train {

ContrastiveLoss contrastive_loss(const at::Tensor& visual, const at::Tensor& text,
                                 const std::vector<std::int64_t>& text_ids, double temperature) {
  const auto count = visual.size(0);
  B3D_CHECK(count >= 2, Usage, "expected at least 2 samples in a contrastive batch, got ", count,
            "; the loss of a single one is identically 0");
  B3D_CHECK(std::any_of(text_ids.begin(), text_ids.end(), [&](std::int64_t id) { return id != text_ids.front(); }),
            Usage, "expected at least 2 different reports in a contrastive batch of ", count,
            ", got one; with nothing to be told apart from, its loss is identically 0");
  B3D_CHECK(text_ids.size() == static_cast<std::size_t>(count), Usage, "expected a text id for each of ", count,
            " samples, got ", text_ids.size());
  B3D_CHECK(temperature >= kMinTemperature && temperature <= kMaxTemperature, Usage, "expected a temperature from ",
            kMinTemperature, " to ", kMaxTemperature, ", got ", temperature);
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::tensor(text_ids, at::kLong).to(visual.device());
  const at::Tensor own = at::eye(count, visual.options());  // (B, B)
  const at::Tensor excluded = ids.unsqueeze(0).eq(ids.unsqueeze(1)).logical_and(own.eq(0));
  at::Tensor logits = at::mm(visual, text.t()).div_(temperature);
  logits.masked_fill_(excluded, -std::numeric_limits<float>::infinity());
  const at::Tensor by_volume = logits.log_softmax(1), by_text = logits.log_softmax(0);
  ContrastiveLoss out;
  out.row_losses = (by_volume.diagonal() + by_text.diagonal()) * -0.5;
  out.loss = out.row_losses.mean();
  const at::Tensor d_logits = (by_volume.exp() + by_text.exp() - 2 * own) / (2.0 * static_cast<double>(count));
  out.gradient = at::mm(d_logits, text) / temperature;
  return out;
}

}  // namespace brain3d::train
