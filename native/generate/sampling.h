// Chooses the next token from logits, entirely on the device: no value is read back by the host, no shape depends on
// data. Order and semantics are those of transformers' processors, which see generated tokens only.
#pragma once

#include <cstdint>
#include <vector>

#include "device/torch.h"

namespace brain3d::generate {

/// Nothing is on unless it is asked for. The paper's values are a matter of policy and stand in TypeScript.
struct SamplingOptions {
  bool greedy = false;                    // ignores temperature, top_k, top_p and the seed
  double temperature = 1;                 // a positive number that float32 holds to full precision
  std::int64_t top_k = 0;                 // 0 is off
  double top_p = 1;                       // 1 is off
  double repetition_penalty = 1;          // as the temperature; 1 is off
  std::int64_t no_repeat_ngram_size = 0;  // 0 is off
  std::int64_t min_new_tokens = 0;
  std::int64_t max_new_tokens = 0;
  std::uint64_t seed = 0;
  std::vector<std::int64_t> eos_token_ids;
  std::int64_t pad_token_id = 0;
};

/// Divides positive and multiplies negative scores of every token seen, once however often it occurred.
/// scores (B, V) float32, seen (B, V) bool.
at::Tensor repetition_penalty(const at::Tensor& scores, const at::Tensor& seen, double penalty);

/// Bans (-inf) each token that would complete an n-gram the history already holds.
/// scores (B, V); history (B, T) int64 of which the first `count` (0-d int64, on the device) are generated.
at::Tensor no_repeat_ngram(const at::Tensor& scores, const at::Tensor& history, const at::Tensor& count,
                           std::int64_t n);

/// Bans the tokens of `is_eos` (V) bool while count < min_new_tokens.
at::Tensor min_new_tokens(const at::Tensor& scores, const at::Tensor& is_eos, const at::Tensor& count,
                          std::int64_t minimum);

/// Bans scores strictly below the k-th largest; ties with it survive. k beyond V is V.
at::Tensor top_k(const at::Tensor& scores, std::int64_t k);

/// Keeps the smallest set of largest tokens such that the removed mass is <= 1 - p. Sorted ascending and stably, so
/// among equal scores the lower index is removed first; the largest is always kept.
at::Tensor top_p(const at::Tensor& scores, double p);

/// Inverse CDF in index order: the first token whose cumulative probability exceeds u. scores (B, V), uniforms (B) in
/// [0, 1) -> (B) int64. A seed gives the same tokens on every backend up to the rounding of the scores.
at::Tensor sample_inverse_cdf(const at::Tensor& scores, const at::Tensor& uniforms);

/// `count` numbers in [0, 1) with 23 bits, a function of the seed alone (splitmix64), float32 on the CPU.
at::Tensor seeded_uniforms(std::uint64_t seed, std::int64_t count);

/// The token choice of a whole batch: history, finished flags and step count live on the device.
class Sampler {
 public:
  Sampler(const SamplingOptions& options, std::int64_t batch, std::int64_t vocab_size, at::Device device);

  /// Appends one token to every row (pad to rows that have finished); `tokens` then holds them. logits (B, V) float32.
  /// Every row draws from the same stream, so a volume's report does not depend on its batch. All state is updated in
  /// place on the device, so that a captured step can be replayed.
  void step(const at::Tensor& logits);

  /// logits (B, V) through every processor in force, for the next token.
  at::Tensor process(const at::Tensor& logits) const;

  const at::Tensor& tokens() const { return tokens_; }      // (B) int64, of the last step
  const at::Tensor& history() const { return history_; }    // (B, max_new_tokens)
  const at::Tensor& finished() const { return finished_; }  // (B) bool
  /// False once the logits or what the processors made of them left no token with a finite score: neither a broken
  /// model nor an overflow may be read as text.  0-d bool
  const at::Tensor& finite() const { return finite_; }
  /// False once the logits themselves were NaN or infinite.  0-d bool
  const at::Tensor& finite_logits() const { return finite_logits_; }

 private:
  SamplingOptions options_;
  at::Tensor tokens_;         // (B)
  at::Tensor history_;        // (B, max_new_tokens)
  at::Tensor seen_;           // (B, V) bool
  at::Tensor finished_;       // (B) bool
  at::Tensor finite_;         // 0-d bool
  at::Tensor finite_logits_;  // 0-d bool
  at::Tensor is_eos_;         // (V) bool
  at::Tensor count_;          // 0-d int64
  at::Tensor uniforms_;       // (max_new_tokens)
};

}  // namespace brain3d::generate
