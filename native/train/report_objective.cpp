#include "train/report_objective.h"

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"
#include "nn/head.h"
#include "train/block_chain.h"

namespace brain3d::train {

namespace {

/// A micro-batch: K visual tokens, then ids padded behind.
struct Packed {
  at::Tensor pooled;   // (B, K, E)
  at::Tensor ids;      // (B, T) int64
  at::Tensor rows;     // (R) int64: rows of the flattened (B * (K + T)) that predict a label
  at::Tensor labels;   // (R) int64
  at::Tensor weights;  // (R) float32, which sum to 1 over the step
};

std::int64_t num_labels(const ReportSample& sample) {
  return static_cast<std::int64_t>(sample.ids.size() - sample.labels_begin);
}

Packed pack(const std::vector<const ReportSample*>& samples, std::int64_t num_visual,
            const std::function<float(const ReportSample&)>& weight, at::Device device) {
  std::size_t longest = 0;
  for (const ReportSample* sample : samples) longest = std::max(longest, sample->ids.size());
  const auto batch = static_cast<std::int64_t>(samples.size()), length = static_cast<std::int64_t>(longest);
  at::Tensor ids = at::zeros({batch, length}, at::kLong);
  std::vector<at::Tensor> pooled;
  std::vector<std::int64_t> rows, labels;
  std::vector<float> weights;
  for (std::int64_t b = 0; b < batch; ++b) {
    const ReportSample& sample = *samples[static_cast<std::size_t>(b)];
    std::copy(sample.ids.begin(), sample.ids.end(), ids.mutable_data_ptr<std::int64_t>() + b * length);
    pooled.push_back(sample.pooled);
    for (std::size_t at = sample.labels_begin; at < sample.ids.size(); ++at) {
      // The position before a token predicts it.
      rows.push_back(b * (num_visual + length) + num_visual + static_cast<std::int64_t>(at) - 1);
      labels.push_back(sample.ids[at]);
      weights.push_back(weight(sample));
    }
  }
  return {at::stack(pooled).to(device), ids.to(device), at::tensor(rows, at::kLong).to(device),
          at::tensor(labels, at::kLong).to(device), at::tensor(weights, at::kFloat).to(device)};
}

/// A sample's masks belong to its place in the step, not to the micro-batch that it is computed in.
std::vector<std::uint64_t> sample_seeds(std::uint64_t step_seed, const std::vector<std::size_t>& part) {
  std::vector<std::uint64_t> seeds;
  for (const std::size_t index : part) seeds.push_back(SplitMix64(step_seed ^ SplitMix64(index).next()).next());
  return seeds;
}

void check(const TrainableModel& model, const std::vector<ReportSample>& samples, const ReportOptions& options) {
  B3D_CHECK(!samples.empty(), Usage, "expected at least one sample, got none");
  std::vector<int> uses(samples.size(), 0);
  for (const auto& part : options.micro_batches)
    for (const std::size_t index : part) {
      B3D_CHECK(index < samples.size(), Usage, "micro-batch index ", index, " is outside of ", samples.size(),
                " samples");
      ++uses[index];
    }
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const ReportSample& sample = samples[i];
    B3D_CHECK(uses[i] == 1, Usage, "expected sample ", i, " in one micro-batch, got ", uses[i]);
    B3D_CHECK(sample.labels_begin >= 1 && sample.labels_begin < sample.ids.size(), Usage, "expected labels in sample ",
              i, " after at least one prompt token");
    models::check_ids(sample.ids, model.language().spec().vocab_size, "report");
    B3D_CHECK(sample.pooled.dim() == 2 && sample.pooled.size(0) == model.num_visual_tokens() &&
                  sample.pooled.size(1) == model.encoder().config().hidden_size,
              Shape, "expected pooled tokens (", model.num_visual_tokens(), ", ", model.encoder().config().hidden_size,
              ") for sample ", i, ", got ", sample.pooled.sizes());
  }
}

}  // namespace

Losses ReportObjective::compute(const TrainableModel& model, Pass pass, const StepContext& context) const {
  const std::vector<ReportSample>& samples = samples_;
  const ReportOptions& options = options_;
  check(model, samples, options);
  const at::AutoGradMode mode(pass == Pass::Gradients);
  const models::Decoder& language = model.language();
  std::int64_t total_labels = 0;
  for (const ReportSample& sample : samples) total_labels += num_labels(sample);
  const auto weight = [&](const ReportSample& sample) {
    return options.loss_mean == LossMean::Tokens
               ? 1.0F / static_cast<float>(total_labels)
               : 1.0F / static_cast<float>(num_labels(sample) * static_cast<std::int64_t>(samples.size()));
  };

  Losses out{0, std::vector<float>(samples.size()), total_labels, 0};
  std::vector<std::pair<const std::vector<std::size_t>*, at::Tensor>> nlls;  // read at the end: no waits in between
  const auto [first_part, end_part] = context.world.share(options.micro_batches.size());
  for (std::size_t index_of_part = first_part; index_of_part < end_part; ++index_of_part) {
    const std::vector<std::size_t>& part = options.micro_batches[index_of_part];
    std::vector<const ReportSample*> chosen;
    for (const std::size_t index : part) chosen.push_back(&samples[index]);
    const Packed packed = pack(chosen, model.num_visual_tokens(), weight, model.device());
    const at::Tensor visual = model.projector().forward(packed.pooled.to(model.dtype()));
    const at::Tensor inputs = at::cat({visual, language.embed(packed.ids)}, 1);  // (B, K + T, M)   (paper eq. 1)
    out.num_tokens += inputs.size(0) * inputs.size(1);
    const models::DecoderStep step = language.sequence_step(inputs.size(1));
    const nn::Dropout masks(context.dropout.probability, sample_seeds(context.dropout.seed, part), model.device());
    const nn::Dropout* active = pass == Pass::Gradients && context.dropout.probability > 0 ? &masks : nullptr;
    BlockChain chain(
        language.num_layers(),
        [&](std::size_t index, const at::Tensor& x) {
          context.cancel.check();
          return language.block(index, x, step, nullptr, active);
        },
        options.recompute);
    const at::Tensor hidden = chain.forward(inputs).flatten(0, 1).index_select(0, packed.rows);  // (R, M)
    const at::Tensor normed = language.final_norm(hidden);  // per row, so on the rows that are needed
    const auto loss = nn::linear_cross_entropy(normed.detach(), language.lm_head(), packed.labels, packed.weights,
                                               options.logit_rows, pass == Pass::Gradients);
    nlls.emplace_back(&part, loss.nlls);
    if (pass == Pass::Loss) continue;
    normed.backward(loss.gradient);
    chain.backward();
  }

  // Sums of each sample's likelihoods, 0 where another process computes it; and the tokens.
  const at::Tensor sums = at::zeros({static_cast<std::int64_t>(samples.size()) + 1}, at::kDouble);
  auto* sum = sums.mutable_data_ptr<double>();
  for (const auto& [part, values] : nlls) {
    const at::Tensor host = values.to(at::kCPU, at::kDouble);
    std::int64_t begin = 0;
    for (const std::size_t index : *part) {
      const std::int64_t count = num_labels(samples[index]);
      sum[index] = host.narrow(0, begin, count).sum().item<double>();
      begin += count;
    }
  }
  sum[samples.size()] = static_cast<double>(out.num_tokens);
  context.world.all_reduce({sums});
  out.num_tokens = static_cast<std::int64_t>(sum[samples.size()]);
  for (const std::vector<std::size_t>& part : options.micro_batches)
    for (const std::size_t index : part) {
      const auto count = static_cast<double>(num_labels(samples[index]));
      out.sample_losses[index] = static_cast<float>(sum[index] / count);
      out.loss += options.loss_mean == LossMean::Tokens ? sum[index] / static_cast<double>(total_labels)
                                                        : sum[index] / count / static_cast<double>(samples.size());
    }
  return out;
}

}  // namespace brain3d::train
