// Prefill, then one token a step, until every sequence has ended.
#pragma once

#include <functional>
#include <vector>

#include "generate/sampling.h"
#include "models/brain3d/brain3d_model.h"

namespace brain3d::generate {

/// The ids of one step, -1 for sequences that had ended before. Called in order, on the computing thread.
using TokenCallback = std::function<void(const std::vector<std::int64_t>&)>;

struct Sequence {
  std::vector<std::int64_t> token_ids;  // new tokens only, the closing EOS included
  bool ended = false;                   // by EOS; otherwise max_new_tokens was reached
};

struct Generation {
  std::vector<Sequence> sequences;
  double prefill_ms = 0;
  double decode_ms = 0;
};

/// The way in which decoding steps are issued; no setting changes a token.
struct StepPlan {
  /// The cache is read up to the next multiple of this, the rest masked. 1 reads exactly what is there.
  std::int64_t length_bucket = 1;
  /// Replays a captured CUDA graph for each bucket instead of launching every kernel. CUDA only.
  bool capture = false;

  /// Exact lengths on the CPU, where every position costs; buckets of 256 on CUDA, where a new shape costs more (a
  /// capture).
  static StepPlan for_device(at::Device device, bool capture);
};

/// inputs_embeds (B, S, M): the soft prompt of each row. `cancel` is checked before every token and layer of the
/// prefill. Throws Internal if the model computes non-finite logits.
Generation generate(const models::Decoder& model, const at::Tensor& inputs_embeds, const SamplingOptions& options,
                    const StepPlan& plan, const CancelFlag& cancel, const TokenCallback& on_tokens);

}  // namespace brain3d::generate
