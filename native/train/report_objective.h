// Phases 2A and 2B: the next token of the report, given the volume and the prompt.   (paper eq. 6 and 7)
#pragma once

#include <utility>
#include <vector>

#include "train/objective.h"

namespace brain3d::train {

/// One report behind its volume's pooled tokens.
struct ReportSample {
  at::Tensor pooled;              // Z_pool (K, E) float32
  std::vector<std::int64_t> ids;  // prompt, report and, for a complete report, EOS
  std::size_t labels_begin = 0;   // index in `ids` of the first report token; all from there on are labels
};

/// `Tokens`: over all labels of the step. `Samples`: of the samples' means.
enum class LossMean { Tokens, Samples };

struct ReportOptions {
  std::vector<std::vector<std::size_t>> micro_batches;  // indices of samples computed together; each sample in one
  LossMean loss_mean = LossMean::Tokens;
  std::int64_t logit_rows = 1;  // rows of logits held at a time
  bool recompute = false;
};

/// The loss of all samples of a step, a micro-batch at a time; the mean is over what the step really holds, so that the
/// result depends on neither the micro-batches nor the padding. Throws Usage for samples without labels.
class ReportObjective final : public Objective {
 public:
  ReportObjective(std::vector<ReportSample> samples, ReportOptions options)
      : samples_(std::move(samples)), options_(std::move(options)) {}
  Losses compute(const TrainableModel& model, Pass pass, const StepContext& step) const override;

 private:
  std::vector<ReportSample> samples_;
  ReportOptions options_;
};

}  // namespace brain3d::train
