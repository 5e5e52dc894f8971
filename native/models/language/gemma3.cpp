#include "models/language/gemma3.h"

#include <cmath>

#include "base/error.h"
#include "models/language/attention_mask.h"
#include "ops/ops.h"

namespace brain3d::models {

at::Tensor Gemma3::embed(const at::Tensor& ids) const { return at::embedding(embed_tokens_, ids) * embed_scale_; }

RotaryTables Gemma3::make_rotary(std::int64_t max_length) const {
  B3D_CHECK(max_length <= config_.max_position_embeddings, Usage, "a sequence of ", max_length,
            " tokens exceeds the language model's ", config_.max_position_embeddings,
            "; shorten the prompt or max_new_tokens");
  const auto head_dim = config_.head_dim;
  return {nn::RotaryTable::make(max_length, head_dim, config_.global_theta, config_.global_factor, options()),
          nn::RotaryTable::make(max_length, head_dim, config_.local_theta, 1.0, options())};
}

DecoderState Gemma3::make_state(std::int64_t batch, std::int64_t max_length) const {
  RotaryTables rotary = make_rotary(max_length);
  return {nn::KvCache(config_.num_hidden_layers, batch, config_.num_key_value_heads, max_length, config_.head_dim,
                      options()),
          std::move(rotary)};
}

DecoderStep Gemma3::make_step(const RotaryTables& rotary, const at::Tensor& positions, std::int64_t length,
                              Extent extent, const std::optional<at::Tensor>& block_ids) const {
  DecoderStep step{positions, length, {}, {}};
  // One query at the end of the cache sees everything before it and needs no mask.
  const bool sees_all = positions.size(0) == 1 && extent == Extent::Exact;
  const auto kind = [&](const nn::RotaryTable& table, std::int64_t window) {
    LayerKind out{{}, table.cos.index_select(0, positions), table.sin.index_select(0, positions)};
    const bool reached = window > 0 && window < length;
    if (!sees_all || reached) out.mask = causal_mask(positions, length);
    if (block_ids) out.mask = with_bidirectional_blocks(*out.mask, *block_ids);
    if (reached) out.mask = within_window(*out.mask, positions, window);
    return out;
  };
  step.global = kind(rotary.global, 0);
  step.local = kind(rotary.local, config_.sliding_window);
  return step;
}

DecoderStep Gemma3::make_step(const DecoderState& state, const at::Tensor& positions, std::int64_t length,
                              Extent extent, const std::optional<at::Tensor>& block_ids) const {
  return make_step(state.rotary, positions, length, extent, block_ids);
}

at::Tensor Gemma3::first_positions(std::int64_t count) const {
  return at::arange(count, at::TensorOptions().dtype(at::kLong).device(options().device()));
}

DecoderStep Gemma3::first_step(const DecoderState& state, std::int64_t count,
                               const std::optional<at::Tensor>& block_ids) const {
  return make_step(state, first_positions(count), count, Extent::Exact, block_ids);
}

DecoderStep Gemma3::sequence_step(std::int64_t count) const {
  return make_step(make_rotary(count), first_positions(count), count, Extent::Exact, {});
}

at::Tensor Gemma3::attention(const Gemma3Layer& layer, std::size_t index, const at::Tensor& x, const DecoderStep& step,
                             nn::KvCache* cache, const nn::Dropout* dropout) const {
  const auto num_heads = config_.num_attention_heads, num_kv_heads = config_.num_key_value_heads;
  // (B, S, (Nh + 2 Nkv) Dh) -> (B, S, Nh + 2 Nkv, Dh)
  const at::Tensor qkv =
      layer.qkv_proj.forward(x, dropout).view({x.size(0), x.size(1), num_heads + 2 * num_kv_heads, config_.head_dim});
  const LayerKind& kind = layer.is_sliding ? step.local : step.global;
  const ops::HeadRotation rotation{layer.q_norm, layer.k_norm, config_.rms_norm_eps, kind.cos, kind.sin};
  const double scale = 1.0 / std::sqrt(config_.query_pre_attn_scalar);
  at::Tensor attended;
  if (cache != nullptr) {
    const at::Tensor &keys = cache->keys(index), &values = cache->values(index);
    const at::Tensor q = ops::split_heads_into(qkv, rotation, step.positions, keys, values);
    attended = ops::grouped_query_attention(q, keys.narrow(2, 0, step.length), values.narrow(2, 0, step.length),
                                            kind.mask, scale);
  } else {
    const auto [q, k, v] = ops::split_heads(qkv, rotation, num_kv_heads);
    attended = ops::grouped_query_attention(q, k.transpose(1, 2), v.transpose(1, 2), kind.mask, scale);
  }
  return layer.o_proj.forward(attended, dropout);
}

at::Tensor Gemma3::block(std::size_t index, const at::Tensor& hidden, const DecoderStep& step, nn::KvCache* cache,
                         const nn::Dropout* dropout) const {
  const double eps = config_.rms_norm_eps;
  const Gemma3Layer& layer = layers_[index];
  const at::Tensor attended =
      attention(layer, index, ops::rms_norm(hidden, layer.input_layernorm, eps), step, cache, dropout);
  const auto [middle, normed] =
      ops::add_rms_norm(hidden, attended, layer.post_attention_layernorm, layer.pre_feedforward_layernorm, eps);
  return ops::add_rms_norm(middle, layer.mlp.forward(normed, dropout), layer.post_feedforward_layernorm, {}, eps).sum;
}

at::Tensor Gemma3::final_norm(const at::Tensor& hidden) const {
  return ops::rms_norm(hidden, norm_, config_.rms_norm_eps);
}

at::Tensor Gemma3::forward(const at::Tensor& inputs_embeds, const DecoderStep& step, DecoderState& state,
                           const CancelFlag* cancel) const {
  at::Tensor hidden = inputs_embeds;
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    if (cancel != nullptr) cancel->check();
    hidden = block(index, hidden, step, &state.cache, nullptr);
  }
  return final_norm(hidden);
}

at::Tensor Gemma3::forward_sequence(const at::Tensor& inputs_embeds, const CancelFlag* cancel) const {
  const DecoderStep step = sequence_step(inputs_embeds.size(1));
  at::Tensor hidden = inputs_embeds;
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    if (cancel != nullptr) cancel->check();
    hidden = block(index, hidden, step, nullptr, nullptr);
  }
  return final_norm(hidden);
}

std::vector<nn::LoraBranch*> Gemma3::lora_branches() {
  std::vector<nn::LoraBranch*> branches;
  for (Gemma3Layer& layer : layers_)
    for (nn::Linear* linear : {&layer.qkv_proj, &layer.o_proj, &layer.mlp.gate_up_proj, &layer.mlp.down_proj})
      for (nn::LoraBranch& branch : linear->lora) branches.push_back(&branch);
  return branches;
}

at::Tensor Gemma3::logits(const at::Tensor& hidden) const { return at::linear(hidden, lm_head_).to(at::kFloat); }

std::int64_t Gemma3::num_parameters() const {
  std::int64_t total = embed_tokens_.numel() + norm_.numel();
  if (!lm_head_.is_same(embed_tokens_)) total += lm_head_.numel();
  for (const Gemma3Layer& layer : layers_)
    for (const at::Tensor* tensor :
         {&layer.input_layernorm, &layer.post_attention_layernorm, &layer.pre_feedforward_layernorm,
          &layer.post_feedforward_layernorm, &layer.q_norm, &layer.k_norm, &layer.qkv_proj.weight, &layer.o_proj.weight,
          &layer.mlp.gate_up_proj.weight, &layer.mlp.down_proj.weight})
      total += tensor->numel();
  return total;
}

}  // namespace brain3d::models
