// Prefill, then one token a step, until every sequence has ended.
#pragma once

#include <functional>
#include <vector>

#include "generate/sampling.h"
#include "models/brain3d_model.h"

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

/// inputs_embeds (B, S, M): the soft prompt of each row. `cancel` is checked before every token and layer of the
/// prefill. Throws Internal if the model computes non-finite logits.
Generation generate(const models::Gemma3& model, const at::Tensor& inputs_embeds, const SamplingOptions& options,
                    const CancelFlag& cancel, const TokenCallback& on_tokens);

}  // namespace brain3d::generate
