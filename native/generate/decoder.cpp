#include "generate/decoder.h"

#include <algorithm>
#include <utility>

#include "core/device.h"
#include "core/error.h"
#include "core/host_mirror.h"
#include "core/stopwatch.h"

namespace brain3d::generate {

namespace {

/// Steps the host may issue before it has seen the result of the oldest: enough to keep a GPU's queue filled, few
/// enough to waste little after the last EOS. On the CPU a step is finished when it was issued.
constexpr std::size_t kRunAhead = 4;

/// What the host has seen of the sequences so far.
class Transcript {
 public:
  Transcript(std::int64_t batch, std::vector<std::int64_t> eos_ids, const TokenCallback& on_tokens)
      : sequences_(static_cast<std::size_t>(batch)), eos_ids_(std::move(eos_ids)), on_tokens_(on_tokens) {}

  /// `row` is one step's (B + 1) int64: the tokens, then 1 while all logits were finite.
  void add(const at::Tensor& row) {
    const auto* values = row.const_data_ptr<std::int64_t>();
    B3D_CHECK(values[sequences_.size()] == 1, Internal,
              "the language model computed logits that are not finite; the weights are damaged or the dtype overflows "
              "(try float32)");
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

}  // namespace

Generation generate(const models::Gemma3& model, const at::Tensor& inputs_embeds, const SamplingOptions& options,
                    const CancelFlag& cancel, const TokenCallback& on_tokens) {
  const auto batch = inputs_embeds.size(0), prompt_length = inputs_embeds.size(1);
  const at::Device device = inputs_embeds.device();
  Sampler sampler(options, batch, model.config().vocab_size, device);
  // The last token is never fed back, so it needs no place in the cache.
  models::DecoderState state = model.make_state(batch, prompt_length + options.max_new_tokens - 1);

  Generation generation;
  const Stopwatch prefill;
  at::Tensor hidden = model.forward(inputs_embeds, model.make_step(state, 0, prompt_length), state, &cancel);
  at::Tensor last = hidden.narrow(1, prompt_length - 1, 1).squeeze(1);  // (B, M): the head sees one row
  hidden.reset();
  synchronize(device);
  generation.prefill_ms = prefill.elapsed_ms();

  const Stopwatch decode;
  Transcript transcript(batch, options.eos_token_ids, on_tokens);
  HostMirror mirror(device);
  for (std::int64_t count = 0; count < options.max_new_tokens && !transcript.all_ended(); ++count) {
    cancel.check();
    if (count > 0) {
      const at::Tensor embeds = model.embed(sampler.history().select(1, count - 1)).unsqueeze(1);  // (B, 1, M)
      last = model.forward(embeds, model.make_step(state, prompt_length + count - 1, 1), state, nullptr).squeeze(1);
    }
    const at::Tensor tokens = sampler.step(model.logits(last));
    mirror.push(at::cat({tokens, sampler.finite().to(at::kLong).view({1})}));
    while (mirror.num_pending() > (device.is_cpu() ? 0 : kRunAhead)) transcript.add(mirror.pop());
  }
  while (mirror.num_pending() > 0 && !transcript.all_ended()) transcript.add(mirror.pop());
  generation.decode_ms = decode.elapsed_ms();
  generation.sequences = transcript.take();
  return generation;
}

}  // namespace brain3d::generate
