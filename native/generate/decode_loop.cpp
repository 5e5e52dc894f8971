#include "generate/decode_loop.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/stopwatch.h"
#include "device/device.h"
#include "device/host_mirror.h"
#include "device/step_graph.h"

namespace brain3d::generate {

namespace {

/// Steps the host may issue before it has seen the result of the oldest: enough to keep a GPU's queue filled, few
/// enough to waste little after the last EOS. On the CPU a step is finished when it was issued.
constexpr std::size_t kRunAhead = 4;

/// The part of the sequences that the host has seen so far.
class Transcript {
 public:
  Transcript(std::int64_t batch, std::vector<std::int64_t> eos_ids, const TokenCallback& on_tokens)
      : sequences_(static_cast<std::size_t>(batch)), eos_ids_(std::move(eos_ids)), on_tokens_(on_tokens) {}

  /// `row` is one step's (B + 2) int64: the tokens, then 1 while all logits, and all scores, were finite.
  void add(const at::Tensor& row) {
    const auto* values = row.const_data_ptr<std::int64_t>();
    B3D_CHECK(values[sequences_.size()] == 1, Internal,
              "the language model computed logits that are not finite; the weights are damaged or the dtype overflows "
              "(try float32)");
    B3D_CHECK(values[sequences_.size() + 1] == 1, Usage,
              "expected decoding options that leave a token with a finite score, got scores that overflow float32 or "
              "none at all; move temperature and repetition_penalty towards 1, or no_repeat_ngram_size and "
              "min_new_tokens towards 0");
    std::vector<std::int64_t> shown;
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      Sequence& sequence = sequences_[i];
      shown.push_back(sequence.ended ? -1 : values[i]);
      if (sequence.ended) continue;
      sequence.token_ids.push_back(values[i]);
      sequence.ended = std::find(eos_ids_.begin(), eos_ids_.end(), values[i]) != eos_ids_.end();
    }
    if (on_tokens_) on_tokens_(shown);
  }

  bool all_ended() const {
    return std::all_of(sequences_.begin(), sequences_.end(), [](const Sequence& sequence) { return sequence.ended; });
  }

  std::vector<Sequence> take() { return std::move(sequences_); }

 private:
  std::vector<Sequence> sequences_;
  std::vector<std::int64_t> eos_ids_;
  const TokenCallback& on_tokens_;
};

/// One decode step as a function of device state only: the last tokens and their position.
class DecodeLoop {
 public:
  DecodeLoop(const models::Decoder& model, const SamplingOptions& options, const StepPlan& plan, std::int64_t batch,
             std::int64_t prompt_length, at::Device device)
      : model_(model),
        plan_(plan),
        prompt_length_(prompt_length),
        // The last token is never fed back, so it needs no place in the cache.
        max_length_(prompt_length + options.max_new_tokens - 1),
        sampler_(options, batch, model.spec().vocab_size, device),
        state_(model.make_state(batch, max_length_)),
        position_(at::full({1}, prompt_length, at::TensorOptions().dtype(at::kLong).device(device))),
        graph_(device, plan.capture) {}

  /// The whole prompt; returns the last position's hidden state (B, M), since the head sees one row only.
  at::Tensor prefill(const at::Tensor& inputs_embeds, const CancelFlag& cancel) {
    const at::Tensor hidden = model_.forward(inputs_embeds, model_.first_step(state_, prompt_length_), state_, &cancel);
    return hidden.select(1, prompt_length_ - 1).clone();
  }

  void first_token(const at::Tensor& hidden) { sampler_.step(model_.logits(hidden)); }

  /// Token number `count` (from 1).
  void next_token(std::int64_t count) {
    const std::int64_t needed = prompt_length_ + count;
    const std::int64_t bucket = plan_.length_bucket;
    const std::int64_t length = std::min((needed + bucket - 1) / bucket * bucket, max_length_);
    const auto extent = bucket == 1 ? models::Decoder::Extent::Exact : models::Decoder::Extent::Bound;
    graph_.run(length, [&] {
      const at::Tensor embeds = model_.embed(sampler_.tokens()).unsqueeze(1);  // (B, 1, M)
      const models::DecoderStep step = model_.make_step(state_, position_, length, extent);
      sampler_.step(model_.logits(model_.forward(embeds, step, state_, nullptr).squeeze(1)));
      position_.add_(1);
    });
  }

  /// (B + 2) int64: the tokens, then 1 while all logits, and all scores, were finite.
  at::Tensor outcome() const {
    return at::cat({sampler_.tokens(), at::stack({sampler_.finite_logits(), sampler_.finite()}).to(at::kLong)});
  }

 private:
  const models::Decoder& model_;
  StepPlan plan_;
  std::int64_t prompt_length_;
  std::int64_t max_length_;
  Sampler sampler_;
  models::DecoderState state_;
  at::Tensor position_;  // (1) of the token that is fed next
  StepGraph graph_;
};

}  // namespace

StepPlan StepPlan::for_device(at::Device device, bool capture) {
  if (device.is_cpu()) return {1, false};
  return {256, capture};
}

Generation generate(const models::Decoder& model, const at::Tensor& inputs_embeds, const SamplingOptions& options,
                    const StepPlan& plan, const CancelFlag& cancel, const TokenCallback& on_tokens) {
  const auto batch = inputs_embeds.size(0), prompt_length = inputs_embeds.size(1);
  const at::Device device = inputs_embeds.device();
  DecodeLoop loop(model, options, plan, batch, prompt_length, device);

  Generation generation;
  const Stopwatch prefill;
  const at::Tensor hidden = loop.prefill(inputs_embeds, cancel);
  synchronize(device);
  generation.prefill_ms = prefill.elapsed_ms();

  const Stopwatch decode;
  Transcript transcript(batch, options.eos_token_ids, on_tokens);
  HostMirror mirror(device);
  for (std::int64_t count = 0; count < options.max_new_tokens && !transcript.all_ended(); ++count) {
    cancel.check();
    if (count == 0) {
      loop.first_token(hidden);
    } else {
      loop.next_token(count);
    }
    mirror.push(loop.outcome());
    while (mirror.num_pending() > (device.is_cpu() ? 0 : kRunAhead)) transcript.add(mirror.pop());
  }
  while (mirror.num_pending() > 0 && !transcript.all_ended()) transcript.add(mirror.pop());
  generation.decode_ms = decode.elapsed_ms();
  generation.sequences = transcript.take();
  return generation;
}

}  // namespace brain3d::generate
