#include "models/language/decoder.h"

#include "base/error.h"
#include "models/language/attention_mask.h"
#include "ops/attention.h"
#include "ops/heads.h"
#include "ops/rms_norm.h"

namespace brain3d::models {

at::Tensor Decoder::embed(const at::Tensor& ids) const {
  const at::Tensor rows = embed_tokens_.rows(ids);
  return embed_scale_ == 1.0 ? rows : rows * embed_scale_;
}

RotaryTables Decoder::make_rotary(std::int64_t max_length) const {
  B3D_CHECK(max_length <= spec_.max_position_embeddings, Usage, "a sequence of ", max_length,
            " tokens exceeds the language model's ", spec_.max_position_embeddings,
            "; shorten the prompt or max_new_tokens");
  RotaryTables tables;
  for (const LayerKind& kind : spec_.kinds)
    tables.push_back(nn::RotaryTable::make(max_length, spec_.head_dim, kind.rope_theta, kind.rope_factor, options()));
  return tables;
}

DecoderState Decoder::make_state(std::int64_t batch, std::int64_t max_length) const {
  RotaryTables rotary = make_rotary(max_length);
  return {
      nn::KvCache(spec_.num_hidden_layers(), batch, spec_.num_key_value_heads, max_length, spec_.head_dim, options()),
      std::move(rotary)};
}

DecoderStep Decoder::make_step(const RotaryTables& rotary, const at::Tensor& positions, std::int64_t length,
                               Extent extent, const std::optional<at::Tensor>& block_ids) const {
  DecoderStep step{positions, length, {}};
  // One query at the end of the cache sees everything before it and needs no mask.
  const bool sees_all = positions.size(0) == 1 && extent == Extent::Exact;
  for (std::size_t kind = 0; kind < spec_.kinds.size(); ++kind) {
    const std::int64_t window = spec_.kinds[kind].window;
    KindPass pass{{}, rotary[kind].cos.index_select(0, positions), rotary[kind].sin.index_select(0, positions)};
    const bool reached = window > 0 && window < length;
    if (!sees_all || reached) pass.mask = causal_mask(positions, length);
    if (block_ids) pass.mask = with_bidirectional_blocks(*pass.mask, *block_ids);
    if (reached) pass.mask = within_window(*pass.mask, positions, window);
    step.kinds.push_back(std::move(pass));
  }
  return step;
}

DecoderStep Decoder::make_step(const DecoderState& state, const at::Tensor& positions, std::int64_t length,
                               Extent extent, const std::optional<at::Tensor>& block_ids) const {
  return make_step(state.rotary, positions, length, extent, block_ids);
}

at::Tensor Decoder::first_positions(std::int64_t count) const {
  return at::arange(count, at::TensorOptions().dtype(at::kLong).device(options().device()));
}

DecoderStep Decoder::first_step(const DecoderState& state, std::int64_t count,
                                const std::optional<at::Tensor>& block_ids) const {
  return make_step(state, first_positions(count), count, Extent::Exact, block_ids);
}

DecoderStep Decoder::sequence_step(std::int64_t count) const {
  return make_step(make_rotary(count), first_positions(count), count, Extent::Exact, {});
}

at::Tensor Decoder::attention(const DecoderLayer& layer, std::size_t index, const at::Tensor& x,
                              const DecoderStep& step, nn::KvCache* cache, const nn::Dropout* dropout) const {
  const auto num_heads = spec_.num_attention_heads, num_kv_heads = spec_.num_key_value_heads;
  // (B, S, (Nh + 2 Nkv) Dh) -> (B, S, Nh + 2 Nkv, Dh)
  const at::Tensor qkv =
      layer.qkv_proj.forward(x, dropout).view({x.size(0), x.size(1), num_heads + 2 * num_kv_heads, spec_.head_dim});
  const KindPass& pass = step.kinds[layer.kind];
  const ops::HeadRotation rotation{layer.q_norm, layer.k_norm, spec_.rms_norm_eps, pass.cos, pass.sin};
  at::Tensor attended;
  if (cache != nullptr) {
    const at::Tensor &keys = cache->keys(index), &values = cache->values(index);
    const at::Tensor q = ops::split_heads_into(qkv, rotation, step.positions, keys, values);
    attended = ops::grouped_query_attention(q, keys.narrow(2, 0, step.length), values.narrow(2, 0, step.length),
                                            pass.mask, spec_.attention_scale);
  } else {
    const auto [q, k, v] = ops::split_heads(qkv, rotation, num_kv_heads);
    attended = ops::grouped_query_attention(q, k.transpose(1, 2), v.transpose(1, 2), pass.mask, spec_.attention_scale);
  }
  return layer.o_proj.forward(attended, dropout);
}

at::Tensor Decoder::block(std::size_t index, const at::Tensor& hidden, const DecoderStep& step, nn::KvCache* cache,
                          const nn::Dropout* dropout) const {
  const double eps = spec_.rms_norm_eps;
  const DecoderLayer& layer = layers_[index];
  const at::Tensor attended =
      attention(layer, index, ops::rms_norm(hidden, layer.before_attention, eps), step, cache, dropout);
  const auto [middle, normed] = ops::add_rms_norm(hidden, attended, layer.after_attention, layer.before_mlp, eps);
  return ops::add_rms_norm(middle, layer.mlp.forward(normed, dropout), layer.after_mlp, {}, eps).sum;
}

at::Tensor Decoder::final_norm(const at::Tensor& hidden) const {
  return ops::rms_norm(hidden, norm_, spec_.rms_norm_eps);
}

at::Tensor Decoder::forward(const at::Tensor& inputs_embeds, const DecoderStep& step, DecoderState& state,
                            const CancelFlag* cancel) const {
  at::Tensor hidden = inputs_embeds;
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    if (cancel != nullptr) cancel->check();
    hidden = block(index, hidden, step, &state.cache, nullptr);
  }
  return final_norm(hidden);
}

at::Tensor Decoder::forward_sequence(const at::Tensor& inputs_embeds, const CancelFlag* cancel) const {
  const DecoderStep step = sequence_step(inputs_embeds.size(1));
  at::Tensor hidden = inputs_embeds;
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    if (cancel != nullptr) cancel->check();
    hidden = block(index, hidden, step, nullptr, nullptr);
  }
  return final_norm(hidden);
}

std::vector<nn::LoraBranch*> Decoder::lora_branches() {
  std::vector<nn::LoraBranch*> branches;
  for (DecoderLayer& layer : layers_)
    for (nn::Linear* linear : {&layer.qkv_proj, &layer.o_proj, &layer.mlp.gate_up_proj, &layer.mlp.down_proj})
      for (nn::LoraBranch& branch : linear->lora) branches.push_back(&branch);
  return branches;
}

at::Tensor Decoder::logits(const at::Tensor& hidden) const { return nn::head_logits(hidden, lm_head_); }

template <typename OfWeight, typename OfTensor>
std::int64_t Decoder::sum_of(OfWeight of_weight, OfTensor of_tensor) const {
  std::int64_t total = of_weight(embed_tokens_) + of_tensor(norm_);
  if (!lm_head_.shares_storage_with(embed_tokens_)) total += of_weight(lm_head_);
  for (const DecoderLayer& layer : layers_) {
    for (const nn::Linear* linear : {&layer.qkv_proj, &layer.o_proj, &layer.mlp.gate_up_proj, &layer.mlp.down_proj}) {
      total += of_weight(linear->weight);
      if (linear->bias.defined()) total += of_tensor(linear->bias);
    }
    total += of_tensor(layer.before_attention) + of_tensor(layer.before_mlp);
    for (const auto* norm : {&layer.after_attention, &layer.after_mlp, &layer.q_norm, &layer.k_norm})
      if (*norm) total += of_tensor(**norm);
  }
  return total;
}

std::int64_t Decoder::num_parameters() const {
  return sum_of([](const nn::Weight& weight) { return weight.numel(); },
                [](const at::Tensor& tensor) { return tensor.numel(); });
}

std::int64_t Decoder::weight_bytes() const {
  return sum_of([](const nn::Weight& weight) { return weight.bytes(); },
                [](const at::Tensor& tensor) { return static_cast<std::int64_t>(tensor.nbytes()); });
}

}  // namespace brain3d::models
