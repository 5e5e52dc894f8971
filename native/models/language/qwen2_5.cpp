#include "models/language/qwen2_5.h"

#include <cmath>

#include "base/error.h"
#include "models/language/layer_fields.h"

namespace brain3d::models {

namespace {

constexpr std::size_t kFull = 0, kSliding = 1;  // the kinds of a layer; the second only where layers slide

/// transformers reads one of the two objects, `rope_scaling` first; `rope_theta` beside them is the older place of the
/// base.
RopeFields parse_rope(const weights::JsonFields& fields) {
  RopeFields rope{fields.positive("rope_theta", 1e4)};
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!fields.has(key)) continue;
    const weights::JsonFields parameters = fields.object(key);
    for (const char* nested : {"full_attention", "sliding_attention"})
      if (parameters.has(nested)) parameters.fail(nested, "no such field (Qwen 2.5 has one rotary embedding)");
    rope.update(parameters, true);
    break;
  }
  return rope;
}

/// The window of the layers that have one. It is 0 where `use_sliding_window` is off, whatever `sliding_window` says.
std::int64_t parse_window(const weights::JsonFields& fields) {
  if (!fields.boolean("use_sliding_window", false) || fields.is_null("sliding_window")) return 0;
  return fields.integer("sliding_window", 4096);
}

std::vector<std::size_t> parse_layer_kinds(const weights::JsonFields& fields, std::int64_t window) {
  const std::int64_t num_layers = fields.integer("num_hidden_layers", 32, 1, 1024);
  std::vector<std::size_t> kinds;
  if (fields.has("layer_types")) {
    for (const bool is_sliding : read_sliding_layers(fields, num_layers)) {
      if (is_sliding && window == 0) fields.fail("layer_types", "full_attention only, since use_sliding_window is off");
      kinds.push_back(is_sliding ? kSliding : kFull);
    }
    return kinds;
  }
  const std::int64_t first_sliding = window > 0 ? fields.integer("max_window_layers", 28, 0) : num_layers;
  for (std::int64_t layer = 0; layer < num_layers; ++layer) kinds.push_back(layer < first_sliding ? kFull : kSliding);
  return kinds;
}

void refuse_unsupported(const weights::JsonFields& fields) {
  for (const char* key : {"max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings"})
    if (fields.is_null(key)) fields.fail(key, "a value, or no such field");
  if (fields.text("hidden_act", "silu") != "silu") fields.fail("hidden_act", "silu");
  for (const char* key : {"dual_chunk_attention_config", "partial_rotary_factor"})
    if (fields.has(key)) fields.fail(key, "no such field (brain3d does not compute it)");
}

}  // namespace

DecoderSpec parse_qwen2_5(const weights::JsonFields& fields) {
  refuse_unsupported(fields);
  DecoderSpec spec;
  spec.vocab_size = fields.integer("vocab_size", 151936);
  spec.hidden_size = fields.integer("hidden_size", 4096);
  spec.intermediate_size = fields.integer("intermediate_size", 22016);
  spec.num_attention_heads = fields.integer("num_attention_heads", 32);
  // Null is a head of keys and values for each query head; absent is the library's default.
  spec.num_key_value_heads =
      fields.integer("num_key_value_heads", fields.is_null("num_key_value_heads") ? spec.num_attention_heads : 32);
  if (spec.num_attention_heads % spec.num_key_value_heads != 0)
    fields.fail("num_key_value_heads", "a divisor of num_attention_heads");
  if (!fields.has("head_dim") && spec.hidden_size % spec.num_attention_heads != 0)
    fields.fail("num_attention_heads", "a divisor of hidden_size");
  spec.head_dim = fields.integer("head_dim", spec.hidden_size / spec.num_attention_heads);
  if (spec.head_dim % 2 != 0) fields.fail("head_dim", "an even number");
  spec.max_position_embeddings = fields.integer("max_position_embeddings", 32768);

  const RopeFields rope = parse_rope(fields);
  const std::int64_t window = parse_window(fields);
  spec.kinds = {{rope.theta, rope.factor(), 0}};
  if (window > 0) spec.kinds.push_back({rope.theta, rope.factor(), window});
  spec.layer_kinds = parse_layer_kinds(fields, window);
  spec.norms = {"input_layernorm", "", "post_attention_layernorm", ""};
  spec.rms_norm_eps = fields.positive("rms_norm_eps", 1e-6);
  spec.has_qkv_bias = true;
  spec.activation = nn::Activation::Silu;
  spec.attention_scale = 1.0 / std::sqrt(static_cast<double>(spec.head_dim));
  spec.tie_word_embeddings = fields.boolean("tie_word_embeddings", false);
  return spec;
}

}  // namespace brain3d::models
