#include "models/gemma3_config.h"

#include "core/error.h"

namespace brain3d::models {

namespace {

constexpr std::int64_t kDefaultSlidingPattern = 6;  // five local layers, then a global one

void parse_rope(const JsonFields& rope, double& theta, double* factor) {
  theta = rope.positive("rope_theta", theta);
  const std::string type = rope.text("rope_type", "default");
  if (type == "linear" && factor != nullptr) {
    *factor = rope.positive("factor");
  } else if (type != "default") {
    rope.fail("rope_type", factor != nullptr ? "default or linear" : "default");
  }
}

/// transformers 4.5x: rope_theta, rope_scaling, rope_local_base_freq. 5.x: rope_parameters by layer kind.
void parse_rotary(const JsonFields& fields, Gemma3Config& config) {
  if (fields.has("rope_parameters")) {
    const JsonFields parameters = fields.object("rope_parameters");
    if (parameters.has("full_attention"))
      parse_rope(parameters.object("full_attention"), config.global_theta, &config.global_factor);
    if (parameters.has("sliding_attention"))
      parse_rope(parameters.object("sliding_attention"), config.local_theta, nullptr);
    return;
  }
  config.global_theta = fields.positive("rope_theta", config.global_theta);
  config.local_theta = fields.positive("rope_local_base_freq", config.local_theta);
  if (fields.has("rope_scaling")) {
    const JsonFields scaling = fields.object("rope_scaling");
    const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
    if (type == "linear") {
      config.global_factor = scaling.positive("factor");
    } else if (type != "default") {
      scaling.fail("rope_type", "default or linear");
    }
  }
}

void parse_layer_types(const JsonFields& fields, Gemma3Config& config) {
  const auto num_layers = static_cast<std::size_t>(config.num_hidden_layers);
  if (!fields.has("layer_types")) {
    const char* key = fields.has("_sliding_window_pattern") ? "_sliding_window_pattern" : "sliding_window_pattern";
    const std::int64_t pattern = fields.integer(key, kDefaultSlidingPattern);
    for (std::size_t layer = 0; layer < num_layers; ++layer)
      config.is_sliding.push_back(static_cast<std::int64_t>(layer + 1) % pattern != 0);
    return;
  }
  const io::Json& types = fields.raw("layer_types");
  if (!types.is_array() || types.size() != num_layers) fields.fail("layer_types", concat("a list of ", num_layers));
  for (const io::Json& type : types) {
    // Not compared as JSON: the library would make a value of the text where it may not fail for want of memory.
    const auto* name = type.get_ptr<const std::string*>();
    if (name == nullptr || (*name != "full_attention" && *name != "sliding_attention"))
      fields.fail("layer_types", "full_attention or sliding_attention for each layer");
    config.is_sliding.push_back(*name == "sliding_attention");
  }
}

void refuse_unsupported(const JsonFields& fields) {
  if (fields.text("hidden_activation", "gelu_pytorch_tanh") != "gelu_pytorch_tanh")
    fields.fail("hidden_activation", "gelu_pytorch_tanh");
  if (fields.boolean("attention_bias", false)) fields.fail("attention_bias", "false");
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
    if (fields.has(key)) fields.fail(key, "null (Gemma 3 has no soft-capping)");
  if (fields.boolean("use_bidirectional_attention", false)) fields.fail("use_bidirectional_attention", "false");
}

}  // namespace

Gemma3Config Gemma3Config::parse(const JsonFields& fields) {
  Gemma3Config config;
  config.vocab_size = fields.integer("vocab_size", config.vocab_size);
  config.hidden_size = fields.integer("hidden_size", config.hidden_size);
  config.intermediate_size = fields.integer("intermediate_size", config.intermediate_size);
  config.num_hidden_layers = fields.integer("num_hidden_layers", config.num_hidden_layers, 1, 1024);
  config.num_attention_heads = fields.integer("num_attention_heads", config.num_attention_heads);
  config.num_key_value_heads = fields.integer("num_key_value_heads", config.num_key_value_heads);
  config.head_dim = fields.integer("head_dim", config.head_dim);
  config.max_position_embeddings = fields.integer("max_position_embeddings", config.max_position_embeddings);
  config.rms_norm_eps = fields.positive("rms_norm_eps", config.rms_norm_eps);
  config.query_pre_attn_scalar = fields.positive("query_pre_attn_scalar", config.query_pre_attn_scalar);
  config.sliding_window = fields.integer("sliding_window", config.sliding_window);
  config.tie_word_embeddings = fields.boolean("tie_word_embeddings", config.tie_word_embeddings);
  if (config.num_attention_heads % config.num_key_value_heads != 0)
    fields.fail("num_key_value_heads", "a divisor of num_attention_heads");
  if (config.head_dim % 2 != 0) fields.fail("head_dim", "an even number");
  refuse_unsupported(fields);
  parse_rotary(fields, config);
  parse_layer_types(fields, config);
  return config;
}

Gemma3Config Gemma3Config::read(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/config.json");
  const JsonFields root(json, "config.json");
  if (root.has("quantization_config"))
    throw Error(ErrorCode::Unsupported,
                "config.json: quantization_config is set; brain3d reads float32, float16 and bfloat16 weights, so give "
                "the unquantised model",
                {"config.json", "quantization_config", -1});
  const std::string type = root.text("model_type");
  if (type == "gemma3_text") return parse(root);
  if (type != "gemma3") root.fail("model_type", "gemma3 or gemma3_text (a language backbone)");
  Gemma3Config config = parse(root.object("text_config"));
  config.tie_word_embeddings = root.boolean("tie_word_embeddings", config.tie_word_embeddings);
  config.is_multimodal = true;
  return config;
}

}  // namespace brain3d::models
