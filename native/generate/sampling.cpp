#include "generate/sampling.h"

#include <limits>

#include "base/error.h"
#include "base/rng.h"

namespace brain3d::generate {

namespace {

constexpr double kBanned = -std::numeric_limits<double>::infinity();

/// Scores are float32: a factor that it holds only roughly, as 0 or as infinity would not do what it says.
void check_factor(double value, const char* name) {
  using Limits = std::numeric_limits<float>;
  B3D_CHECK(value >= Limits::min() && value <= Limits::max(), Usage, "expected ", name, " from ", Limits::min(), " to ",
            Limits::max(), ", got ", value);
}

void check_options(const SamplingOptions& options, std::int64_t vocab_size) {
  B3D_CHECK(options.max_new_tokens >= 1, Usage, "expected max_new_tokens >= 1, got ", options.max_new_tokens);
  B3D_CHECK(options.min_new_tokens >= 0 && options.min_new_tokens <= options.max_new_tokens, Usage,
            "expected min_new_tokens from 0 to max_new_tokens (", options.max_new_tokens, "), got ",
            options.min_new_tokens);
  if (!options.greedy) check_factor(options.temperature, "temperature");
  B3D_CHECK(options.top_p >= 0 && options.top_p <= 1, Usage, "expected top_p from 0 to 1, got ", options.top_p);
  B3D_CHECK(options.top_k >= 0, Usage, "expected top_k >= 0, got ", options.top_k);
  check_factor(options.repetition_penalty, "repetition_penalty");
  B3D_CHECK(options.no_repeat_ngram_size >= 0, Usage, "expected no_repeat_ngram_size >= 0, got ",
            options.no_repeat_ngram_size);
  for (const std::int64_t id : options.eos_token_ids)
    B3D_CHECK(id >= 0 && id < vocab_size, Usage, "eos token ", id, " is outside the vocabulary of ", vocab_size);
}

}  // namespace

at::Tensor repetition_penalty(const at::Tensor& scores, const at::Tensor& seen, double penalty) {
  const at::Tensor penalised = at::where(scores < 0, scores * penalty, scores / penalty);
  return at::where(seen, penalised, scores);
}

at::Tensor no_repeat_ngram(const at::Tensor& scores, const at::Tensor& history, const at::Tensor& count,
                           std::int64_t n) {
  const auto capacity = history.size(1);
  if (capacity < n) return scores;
  const at::Tensor windows = history.unfold(1, n, 1);  // (B, T - n + 1, n)
  // The last n - 1 generated tokens; before there are that many the indices are clamped and nothing matches, because
  // no window lies inside the history then.
  const auto index_options = history.options();
  const at::Tensor prefix_index = (at::arange(n - 1, index_options) + (count - (n - 1))).clamp_min_(0);
  const at::Tensor prefix = history.index_select(1, prefix_index).unsqueeze(1);  // (B, 1, n - 1)
  const at::Tensor inside = at::arange(n - 1, capacity, index_options) < count;  // the window's last token is generated
  const at::Tensor matches = windows.narrow(2, 0, n - 1).eq(prefix).all(2).logical_and(inside);  // (B, T - n + 1)
  const at::Tensor hits =
      at::zeros_like(scores).scatter_add_(1, windows.select(2, n - 1), matches.to(scores.scalar_type()));
  return scores.masked_fill(hits > 0, kBanned);
}

at::Tensor min_new_tokens(const at::Tensor& scores, const at::Tensor& is_eos, const at::Tensor& count,
                          std::int64_t minimum) {
  return scores.masked_fill(is_eos.logical_and(count < minimum), kBanned);
}

at::Tensor top_k(const at::Tensor& scores, std::int64_t k) {
  if (k >= scores.size(-1)) return scores;
  const at::Tensor kth = std::get<0>(scores.topk(k, -1)).narrow(-1, k - 1, 1);
  return scores.masked_fill(scores < kth, kBanned);
}

at::Tensor top_p(const at::Tensor& scores, double p) {
  const auto [sorted, order] = scores.sort(/*stable=*/true, -1, /*descending=*/false);
  at::Tensor removed = sorted.softmax(-1).cumsum(-1) <= 1.0 - p;
  removed.narrow(-1, removed.size(-1) - 1, 1).fill_(false);
  return scores.masked_fill(at::empty_like(removed).scatter_(-1, order, removed), kBanned);
}

at::Tensor sample_inverse_cdf(const at::Tensor& scores, const at::Tensor& uniforms) {
  const at::Tensor cumulative = scores.softmax(-1).cumsum(-1);
  // The last entry is the total, not exactly 1: scaling u by it keeps the draw inside the support.
  const at::Tensor threshold = uniforms.unsqueeze(-1) * cumulative.narrow(-1, cumulative.size(-1) - 1, 1);
  return (cumulative <= threshold).sum(-1);
}

at::Tensor seeded_uniforms(std::uint64_t seed, std::int64_t count) {
  at::Tensor uniforms = at::empty({count}, at::kFloat);
  auto* values = uniforms.mutable_data_ptr<float>();
  SplitMix64 rng(seed);
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(rng.next() >> 41) * 0x1p-23F;
  return uniforms;
}

Sampler::Sampler(const SamplingOptions& options, std::int64_t batch, std::int64_t vocab_size, at::Device device)
    : options_(options) {
  check_options(options, vocab_size);
  const auto on = [device](at::ScalarType type) { return at::TensorOptions().dtype(type).device(device); };
  tokens_ = at::zeros({batch}, on(at::kLong));
  history_ = at::zeros({batch, options.max_new_tokens}, on(at::kLong));
  seen_ = at::zeros({batch, vocab_size}, on(at::kBool));
  finished_ = at::zeros({batch}, on(at::kBool));
  finite_ = at::ones({}, on(at::kBool));
  finite_logits_ = at::ones({}, on(at::kBool));
  count_ = at::zeros({}, on(at::kLong));
  at::Tensor is_eos = at::zeros({vocab_size}, at::kBool);
  for (const std::int64_t id : options.eos_token_ids) is_eos[id] = true;
  is_eos_ = is_eos.to(device);
  uniforms_ = seeded_uniforms(options.seed, options.max_new_tokens).to(device);
}

at::Tensor Sampler::process(const at::Tensor& logits) const {
  at::Tensor scores = logits;
  if (options_.repetition_penalty != 1.0) scores = repetition_penalty(scores, seen_, options_.repetition_penalty);
  if (options_.no_repeat_ngram_size > 0)
    scores = no_repeat_ngram(scores, history_, count_, options_.no_repeat_ngram_size);
  if (options_.min_new_tokens > 0) scores = min_new_tokens(scores, is_eos_, count_, options_.min_new_tokens);
  if (options_.greedy) return scores;
  if (options_.temperature != 1.0) scores = scores / options_.temperature;
  if (options_.top_k > 0) scores = top_k(scores, options_.top_k);
  if (options_.top_p < 1.0) scores = top_p(scores, options_.top_p);
  return scores;
}

void Sampler::step(const at::Tensor& logits) {
  const at::Tensor scores = process(logits);
  finite_logits_.logical_and_(logits.isfinite().all());
  // The largest score is NaN if one is, infinite if one overflowed, and -infinity where every token is banned. What
  // falls to -infinity beside a finite one has no probability in float32 either way.
  const at::Tensor has_choice = scores.amax(-1).isfinite().logical_or(finished_);
  finite_.logical_and_(finite_logits_).logical_and_(has_choice.all());
  const at::Tensor chosen =
      options_.greedy ? scores.argmax(-1) : sample_inverse_cdf(scores, uniforms_.index_select(0, count_.view({1})));
  tokens_.copy_(chosen.masked_fill(finished_, options_.pad_token_id));
  history_.index_copy_(1, count_.view({1}), tokens_.unsqueeze(1));
  seen_.scatter_(1, tokens_.unsqueeze(1), true);
  finished_.logical_or_(is_eos_.index_select(0, tokens_));
  count_.add_(1);
}

}  // namespace brain3d::generate
