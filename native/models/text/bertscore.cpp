#include "models/text/bertscore.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace brain3d::models {

namespace {

/// Texts whose embeddings are held at a time: enough for batches of similar lengths, few enough for memory.
constexpr std::size_t kBatchesPerRound = 8;

struct EmbeddedText {
  at::Tensor rows;     // (n, E), each of length 1
  at::Tensor weights;  // (n) double
};

class TextEmbedder {
 public:
  TextEmbedder(const RobertaEncoder& encoder, const std::vector<TokenIds>& texts, const CancelFlag& cancel)
      : encoder_(encoder), texts_(texts), cancel_(cancel), embedded_(texts.size()) {
    for (const TokenIds& ids : texts) check(ids);
  }

  const EmbeddedText& get(std::size_t text) const { return embedded_[text]; }
  void drop(std::size_t text) { embedded_[text] = {}; }

  /// Encodes those of `wanted` that are not there yet, the longest first: a batch that fits is never followed by a
  /// larger one.
  void embed(std::vector<std::size_t> wanted, std::size_t batch_size) {
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::erase_if(wanted, [this](std::size_t text) { return embedded_[text].rows.defined(); });
    std::stable_sort(wanted.begin(), wanted.end(),
                     [this](std::size_t a, std::size_t b) { return length(a) > length(b); });
    for (std::size_t begin = 0; begin < wanted.size(); begin += batch_size)
      embed_batch({wanted.begin() + static_cast<std::ptrdiff_t>(begin),
                   wanted.begin() + static_cast<std::ptrdiff_t>(std::min(begin + batch_size, wanted.size()))});
  }

 private:
  std::int64_t length(std::size_t text) const { return static_cast<std::int64_t>(texts_[text].size()); }

  void check(const TokenIds& ids) const {
    const auto count = static_cast<std::int64_t>(ids.size());
    const auto limit = encoder_.config().max_tokens(), vocab_size = encoder_.config().vocab_size;
    B3D_CHECK(count >= 1 && count <= limit, Usage, "expected 1 to ", limit, " tokens in a text, got ", count);
    for (const std::int64_t id : ids)
      B3D_CHECK(id >= 0 && id < vocab_size, Usage, "expected token ids below ", vocab_size, ", got ", id);
  }

  void embed_batch(const std::vector<std::size_t>& batch) {
    const auto rows = static_cast<std::int64_t>(batch.size()), longest = length(batch.front());
    at::Tensor ids = at::full({rows, longest}, encoder_.config().pad_token_id, at::kLong);
    at::Tensor mask = at::zeros({rows, longest}, at::kBool);
    for (std::int64_t row = 0; row < rows; ++row) {
      const TokenIds& text = texts_[batch[static_cast<std::size_t>(row)]];
      const auto count = static_cast<std::int64_t>(text.size());
      ids[row].narrow(0, 0, count).copy_(at::tensor(text));
      mask[row].narrow(0, 0, count).fill_(true);
    }
    const at::Device device = encoder_.device();
    const at::Tensor hidden = encoder_.forward(ids.to(device), mask.to(device), &cancel_);
    const at::Tensor unit = hidden / hidden.norm(2, -1, /*keepdim=*/true);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::size_t text = batch[static_cast<std::size_t>(row)];
      // Copied, so that the batch's padding goes.
      embedded_[text] = {unit[row].narrow(0, 0, length(text)).clone(), weights(texts_[text]).to(device)};
    }
  }

  /// Special tokens are told by their ids, as in the reference, so those written in a text have no weight either.
  at::Tensor weights(const TokenIds& ids) const {
    const at::Tensor tokens = at::tensor(ids);
    const RobertaConfig& config = encoder_.config();
    return tokens.ne(config.bos_token_id).logical_and(tokens.ne(config.eos_token_id)).to(at::kDouble);
  }

  const RobertaEncoder& encoder_;
  const std::vector<TokenIds>& texts_;
  const CancelFlag& cancel_;
  std::vector<EmbeddedText> embedded_;
};

double weighted_mean(const at::Tensor& values, const at::Tensor& weights, double total) {
  return (values.to(at::kDouble) * weights).sum().item<double>() / total;  // syncs
}

}  // namespace

MatchScore greedy_match(const at::Tensor& hypothesis, const at::Tensor& reference, const at::Tensor& hypothesis_weights,
                        const at::Tensor& reference_weights) {
  const double hypothesis_total = hypothesis_weights.sum().item<double>();
  const double reference_total = reference_weights.sum().item<double>();
  if (hypothesis_total == 0 || reference_total == 0) return {};
  const at::Tensor cosines = hypothesis.matmul(reference.t());  // (n, m)
  MatchScore score;
  score.precision = weighted_mean(cosines.amax(1), hypothesis_weights, hypothesis_total);
  score.recall = weighted_mean(cosines.amax(0), reference_weights, reference_total);
  const double sum = score.precision + score.recall;
  score.f1 = sum == 0 ? 0 : 2 * score.precision * score.recall / sum;
  B3D_CHECK(std::isfinite(score.f1), Internal,
            "the encoder computed embeddings that are not finite; its weights are damaged");
  return score;
}

std::vector<MatchScore> bert_scores(const RobertaEncoder& encoder, const std::vector<TokenIds>& texts,
                                    const std::vector<TextPair>& pairs, std::int64_t batch_size,
                                    const CancelFlag& cancel) {
  B3D_CHECK(batch_size >= 1, Usage, "expected a batch size of at least 1, got ", batch_size);
  std::vector<std::size_t> last_use(texts.size());
  for (std::size_t pair = 0; pair < pairs.size(); ++pair)
    for (const std::size_t text : {pairs[pair].first, pairs[pair].second}) {
      B3D_CHECK(text < texts.size(), Usage, "expected indices of ", texts.size(), " texts, got ", text);
      last_use[text] = pair;
    }
  TextEmbedder embedder(encoder, texts, cancel);
  std::vector<MatchScore> scores;
  const std::size_t per_batch = static_cast<std::size_t>(batch_size), per_round = kBatchesPerRound * per_batch;
  for (std::size_t begin = 0; begin < pairs.size(); begin += per_round) {
    const std::size_t end = std::min(begin + per_round, pairs.size());
    std::vector<std::size_t> wanted;
    for (std::size_t pair = begin; pair < end; ++pair)
      wanted.insert(wanted.end(), {pairs[pair].first, pairs[pair].second});
    embedder.embed(wanted, per_batch);
    for (std::size_t pair = begin; pair < end; ++pair) {
      cancel.check();
      const EmbeddedText& hypothesis = embedder.get(pairs[pair].first);
      const EmbeddedText& reference = embedder.get(pairs[pair].second);
      scores.push_back(greedy_match(hypothesis.rows, reference.rows, hypothesis.weights, reference.weights));
    }
    for (const std::size_t text : wanted)
      if (last_use[text] < end) embedder.drop(text);
  }
  return scores;
}

}  // namespace brain3d::models
