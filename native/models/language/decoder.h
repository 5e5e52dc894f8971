// A decoder-only language model: one class for every family, whose layers have optional parts (decoder_spec.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "models/language/decoder_spec.h"
#include "nn/gated_mlp.h"
#include "nn/head.h"
#include "nn/kv_cache.h"
#include "nn/rotary_table.h"
#include "weights/lora_adapter.h"
#include "weights/weight_source.h"

namespace brain3d::models {

/// Norm scales are float32, the spec's offset added. `after_...` norm what attention and MLP compute, before it joins
/// the residual stream; they are none where a family has no such norm.
struct DecoderLayer {
  at::Tensor before_attention, before_mlp;               // (M)
  std::optional<at::Tensor> after_attention, after_mlp;  // (M)
  std::optional<at::Tensor> q_norm, k_norm;              // (Dh)
  nn::Linear qkv_proj;                                   // ((Nh + 2 Nkv) Dh, M): q_proj, k_proj, v_proj
  nn::Linear o_proj;                                     // (M, Nh Dh)
  nn::GatedMlp mlp;
  std::size_t kind = 0;  // an index into DecoderSpec::kinds
};

/// The tables (max_length, Dh) of each kind of layer.
using RotaryTables = std::vector<nn::RotaryTable>;

/// The state that one batch of sequences carries through its passes; the model itself stays constant and can serve many
/// at once.
struct DecoderState {
  nn::KvCache cache;
  RotaryTables rotary;
};

/// The tensors that layers of one kind share in a pass over positions p_0..p_{S-1}.
struct KindPass {
  std::optional<at::Tensor> mask;  // (S, length) bool; none where every position is visible
  at::Tensor cos, sin;             // (S, Dh)
};

/// The positions a forward pass covers. Made once per pass, shared by its layers.
struct DecoderStep {
  at::Tensor positions;         // (S) int64 on the device
  std::int64_t length = 0;      // cache positions to attend over, an upper bound of the last position + 1
  std::vector<KindPass> kinds;  // by the kind of layer
};

class Decoder {
 public:
  /// Reads the decoder from a backbone directory. With `merge`, the adapter is added to the weights in float32 and
  /// rounded once; without, it stays a branch beside them. `adapter` may be null.
  static Decoder load(const DecoderSpec& spec, weights::WeightSource& source, at::TensorOptions options,
                      const weights::LoraAdapter* adapter, bool merge);
  /// Every linear layer that can be adapted: module -> (out, in).
  static weights::LinearModules linear_modules(const DecoderSpec& spec);
  /// Adds the tensors `load` reads.
  static void expect(const DecoderSpec& spec, weights::ExpectedTensors& expected);
  /// Opens a language backbone directory; other parts that the family's directories hold are left alone.
  static weights::WeightSource open_backbone(const std::string& dir, const DecoderSpec& spec);

  /// E[ids], times the spec's embedding scale rounded to the weights' dtype as transformers does.
  /// ids (..) int64 -> (.., M).
  at::Tensor embed(const at::Tensor& ids) const;

  /// Room for `max_length` positions. Throws Usage beyond the model's max_position_embeddings.
  DecoderState make_state(std::int64_t batch, std::int64_t max_length) const;

  /// A pass over `positions` (S) int64 on the device, the cache read up to `length`, which is one past the last
  /// position
  /// (`Extent::Exact`) or any bound above it (`Extent::Bound`: the mask hides the rest, and nothing of the pass depends
  /// on the positions' values, so that a captured pass can be replayed for others). `block_ids` (S), where given,
  /// numbers image tokens that see each other in both directions (-1 elsewhere); positions must then be 0..S-1.
  enum class Extent { Exact, Bound };
  DecoderStep make_step(const DecoderState& state, const at::Tensor& positions, std::int64_t length, Extent extent,
                        const std::optional<at::Tensor>& block_ids = {}) const;

  /// The pass over positions 0..count-1 of a fresh state.
  DecoderStep first_step(const DecoderState& state, std::int64_t count,
                         const std::optional<at::Tensor>& block_ids = {}) const;

  /// The pass over positions 0..count-1 of sequences that are complete: training and scoring need no cache.
  DecoderStep sequence_step(std::int64_t count) const;

  /// Hidden states after the final norm. inputs_embeds (B, S, M) -> (B, S, M). Writes the cache at step.positions.
  at::Tensor forward(const at::Tensor& inputs_embeds, const DecoderStep& step, DecoderState& state,
                     const CancelFlag* cancel) const;

  /// The same for complete sequences. Where they differ in length they are padded behind: a causal mask hides that.
  at::Tensor forward_sequence(const at::Tensor& inputs_embeds, const CancelFlag* cancel) const;

  /// One layer, hidden (B, S, M) -> (B, S, M). `cache` may be null for a complete sequence. `dropout` (null: off) acts
  /// in LoRA branches.
  at::Tensor block(std::size_t index, const at::Tensor& hidden, const DecoderStep& step, nn::KvCache* cache,
                   const nn::Dropout* dropout) const;
  at::Tensor final_norm(const at::Tensor& hidden) const;
  std::size_t num_layers() const { return layers_.size(); }

  /// hidden (.., M) -> logits (.., V) float32. Call it on the rows that are needed only: V can be 262,208.
  at::Tensor logits(const at::Tensor& hidden) const;
  /// (V, M), for a loss that never holds all logits.
  const nn::Weight& lm_head() const { return lm_head_; }

  /// The branches of an adapter that was not merged, layer by layer; their tensors can be replaced.
  std::vector<nn::LoraBranch*> lora_branches();

  const DecoderSpec& spec() const { return spec_; }
  at::TensorOptions options() const { return embed_tokens_.options(); }
  std::int64_t num_parameters() const;
  /// The bytes of all weights as they are held, without an adapter's branches.
  std::int64_t weight_bytes() const;

 private:
  at::Tensor attention(const DecoderLayer& layer, std::size_t index, const at::Tensor& x, const DecoderStep& step,
                       nn::KvCache* cache, const nn::Dropout* dropout) const;
  /// Sums a number over every tensor of the model.
  template <typename OfWeight, typename OfTensor>
  std::int64_t sum_of(OfWeight of_weight, OfTensor of_tensor) const;
  RotaryTables make_rotary(std::int64_t max_length) const;
  DecoderStep make_step(const RotaryTables& rotary, const at::Tensor& positions, std::int64_t length, Extent extent,
                        const std::optional<at::Tensor>& block_ids) const;
  at::Tensor first_positions(std::int64_t count) const;

  DecoderSpec spec_;
  nn::Weight embed_tokens_;  // (V, M)
  nn::Weight lm_head_;       // (V, M); the embedding itself where tied
  double embed_scale_ = 1.0;
  std::vector<DecoderLayer> layers_;
  at::Tensor norm_;  // (M)
};

}  // namespace brain3d::models
