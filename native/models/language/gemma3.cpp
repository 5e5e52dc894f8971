#include "models/language/gemma3.h"

#include <cmath>

#include "base/error.h"
#include "models/language/layer_fields.h"

namespace brain3d::models {

namespace {

constexpr std::int64_t kDefaultSlidingPattern = 6;  // five local layers, then a global one

/// transformers 4.5x: rope_theta, rope_scaling, rope_local_base_freq. 5.x: rope_parameters by layer kind. Side by side,
/// as 5.x reads them: rope_scaling replaces values of rope_parameters, whose bases come before the two old fields.
std::vector<LayerKind> parse_kinds(const weights::JsonFields& fields) {
  RopeFields global{fields.positive("rope_theta", 1e6)};
  RopeFields local{fields.positive("rope_local_base_freq", 1e4)};
  if (fields.has("rope_parameters")) {
    const weights::JsonFields parameters = fields.object("rope_parameters");
    for (const char* key : {"rope_type", "type", "factor", "rope_theta"})
      if (parameters.has(key)) parameters.fail(key, "full_attention or sliding_attention around it, and nothing");
    if (parameters.has("full_attention")) global.update(parameters.object("full_attention"), true);
    if (parameters.has("sliding_attention")) local.update(parameters.object("sliding_attention"), false);
  }
  if (fields.has("rope_scaling")) global.update(fields.object("rope_scaling"), true);
  std::vector<LayerKind> kinds(2);
  kinds[kGemma3Global] = {global.theta, global.factor(), 0};
  kinds[kGemma3Local] = {local.theta, 1.0, fields.integer("sliding_window", 4096)};
  return kinds;
}

std::vector<std::size_t> parse_layer_kinds(const weights::JsonFields& fields) {
  const std::int64_t num_layers = fields.integer("num_hidden_layers", 26, 1, 1024);
  std::vector<std::size_t> kinds;
  if (fields.has("layer_types")) {
    for (const bool is_sliding : read_sliding_layers(fields, num_layers))
      kinds.push_back(is_sliding ? kGemma3Local : kGemma3Global);
    return kinds;
  }
  // One field under the names of two versions.
  const char *key = "sliding_window_pattern", *other = "_sliding_window_pattern";
  const std::int64_t pattern = fields.integer(key, fields.integer(other, kDefaultSlidingPattern));
  if (pattern != fields.integer(other, pattern)) fields.fail(key, concat("the same as for '", other, "'"));
  for (std::int64_t layer = 0; layer < num_layers; ++layer)
    kinds.push_back((layer + 1) % pattern == 0 ? kGemma3Global : kGemma3Local);
  return kinds;
}

/// Null is not "as by default" where a default means something: no window would be full attention. What a size is, the
/// weights' shapes tell.
void refuse_nulls(const weights::JsonFields& fields) {
  for (const char* key : {"max_position_embeddings", "query_pre_attn_scalar", "rms_norm_eps", "rope_local_base_freq",
                          "rope_theta", "sliding_window", "tie_word_embeddings"})
    if (fields.is_null(key)) fields.fail(key, "a value, or no such field");
}

void refuse_unsupported(const weights::JsonFields& fields) {
  refuse_nulls(fields);
  if (fields.text("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh")
    fields.fail("hidden_activation", "gelu_pytorch_tanh");
  if (fields.boolean("attention_bias", false)) fields.fail("attention_bias", "false");
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
    if (fields.has(key)) fields.fail(key, "null (Gemma 3 has no soft-capping)");
  if (fields.boolean("use_bidirectional_attention", false)) fields.fail("use_bidirectional_attention", "false");
}

}  // namespace

DecoderSpec parse_gemma3_text(const weights::JsonFields& fields) {
  refuse_unsupported(fields);
  DecoderSpec spec;
  spec.vocab_size = fields.integer("vocab_size", 262208);
  spec.hidden_size = fields.integer("hidden_size", 2304);
  spec.intermediate_size = fields.integer("intermediate_size", 9216);
  spec.num_attention_heads = fields.integer("num_attention_heads", 8);
  spec.num_key_value_heads = fields.integer("num_key_value_heads", 4);
  spec.head_dim = fields.integer("head_dim", 256);
  spec.max_position_embeddings = fields.integer("max_position_embeddings", 131072);
  if (spec.num_attention_heads % spec.num_key_value_heads != 0)
    fields.fail("num_key_value_heads", "a divisor of num_attention_heads");
  if (spec.head_dim % 2 != 0) fields.fail("head_dim", "an even number");
  spec.kinds = parse_kinds(fields);
  spec.layer_kinds = parse_layer_kinds(fields);
  spec.norms = {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
                "post_feedforward_layernorm"};
  spec.rms_norm_eps = fields.positive("rms_norm_eps", 1e-6);
  spec.norm_offset = 1.0;  // the stored weights are zero-centred
  spec.has_qk_norms = true;
  spec.activation = nn::Activation::GeluTanh;
  spec.attention_scale = 1.0 / std::sqrt(fields.positive("query_pre_attn_scalar", 256));
  spec.embedding_scale = std::sqrt(static_cast<double>(spec.hidden_size));
  spec.tie_word_embeddings = fields.boolean("tie_word_embeddings", true);
  spec.unused_tensors = {"vision.", "mmproj."};
  return spec;
}

DecoderSpec parse_gemma3(const weights::JsonFields& root) {
  if (root.text("model_type") == "gemma3_text") return parse_gemma3_text(root);
  if (root.is_null("tie_word_embeddings")) root.fail("tie_word_embeddings", "true or false, or no such field");
  DecoderSpec spec = parse_gemma3_text(root.object("text_config"));
  spec.tie_word_embeddings = root.boolean("tie_word_embeddings", spec.tie_word_embeddings);
  spec.module_prefix = "model.language_model.";
  return spec;
}

}  // namespace brain3d::models
