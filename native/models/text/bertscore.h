// BERTScore: how well the tokens of two texts match in an encoder's space.   [BERTSCORE]
#pragma once

#include <utility>
#include <vector>

#include "models/text/roberta.h"

namespace brain3d::models {

struct MatchScore {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

/// Greedy matching. hypothesis (n, E) and reference (m, E) float32, rows of length 1; weights (n) and (m) double.
/// precision: weighted mean over the hypothesis's tokens of the best cosine with any token of the reference; recall the
/// other way round; tokens of weight 0 count as partners only. All 0 where a text has no token with a weight.
MatchScore greedy_match(const at::Tensor& hypothesis, const at::Tensor& reference, const at::Tensor& hypothesis_weights,
                        const at::Tensor& reference_weights);

using TokenIds = std::vector<std::int64_t>;
/// Indices of a hypothesis and a reference in the list of texts.
using TextPair = std::pair<std::size_t, std::size_t>;

/// A score for each pair. Each text is encoded once, in batches of up to `batch_size` texts of similar length; its
/// bos and eos tokens have weight 0.
/// Throws Usage for a text without tokens, with more than the encoder takes, or with ids outside its vocabulary.
std::vector<MatchScore> bert_scores(const RobertaEncoder& encoder, const std::vector<TokenIds>& texts,
                                    const std::vector<TextPair>& pairs, std::int64_t batch_size,
                                    const CancelFlag& cancel);

}  // namespace brain3d::models
