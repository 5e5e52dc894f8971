// Phases 2A and 2B: the next token of the report, given the volume and the prompt.   (paper eq. 6 and 7)
#pragma once

#include <vector>

#include "train/objective.h"
#include "train/trainable_model.h"

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
  std::int64_t logit_rows = 1024;  // rows of logits held at a time
  bool recompute = false;
};

/// `seed` is the step's; with its place in the step it gives each sample its masks, whatever the micro-batches.
struct LoraDropout {
  double probability = 0;
  std::uint64_t seed = 0;
};

/// The loss of all samples of a step, a micro-batch at a time; the mean is over what the step really holds, so that the
/// result depends on neither the micro-batches nor the padding. Throws Usage for samples without labels.
Objective report_objective(const TrainableModel& model, const std::vector<ReportSample>& samples,
                           const ReportOptions& options, const LoraDropout& dropout, Pass pass,
                           const CancelFlag& cancel);

}  // namespace brain3d::train
