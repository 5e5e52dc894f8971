#include "models/language/gemma3_config.h"

#include "base/error.h"

namespace brain3d::models {

namespace {

constexpr std::int64_t kDefaultSlidingPattern = 6;  // five local layers, then a global one

/// A rotary embedding as transformers puts it together: what comes later replaces single values of what was there.
struct Rope {
  double theta;
  bool is_linear = false;
  double factor = 0;  // 0: not given

  void update(const weights::JsonFields& rope, bool may_be_linear) {
    theta = rope.positive("rope_theta", theta);
    for (const char* key : {"rope_type", "type"}) {  // the second is the name of older versions
      if (!rope.has(key)) continue;
      const std::string type = rope.text(key);
      if (type != "default" && !(may_be_linear && type == "linear"))
        rope.fail("rope_type", may_be_linear ? "default or linear" : "default");
      if (type != rope.text("rope_type", type)) rope.fail("rope_type", "the same as for 'type'");
      is_linear = type == "linear";
    }
    if (may_be_linear && rope.has("factor")) factor = rope.positive("factor");
    if (is_linear && factor == 0) rope.fail("factor", "a number > 0");
  }
};

/// transformers 4.5x: rope_theta, rope_scaling, rope_local_base_freq. 5.x: rope_parameters by layer kind. Side by side,
/// as 5.x reads them: rope_scaling replaces values of rope_parameters, whose bases come before the two old fields.
void parse_rotary(const weights::JsonFields& fields, Gemma3Config& config) {
  Rope global{fields.positive("rope_theta", config.global_theta)};
  Rope local{fields.positive("rope_local_base_freq", config.local_theta)};
  if (fields.has("rope_parameters")) {
    const weights::JsonFields parameters = fields.object("rope_parameters");
    for (const char* key : {"rope_type", "type", "factor", "rope_theta"})
      if (parameters.has(key)) parameters.fail(key, "full_attention or sliding_attention around it, and nothing");
    if (parameters.has("full_attention")) global.update(parameters.object("full_attention"), true);
    if (parameters.has("sliding_attention")) local.update(parameters.object("sliding_attention"), false);
  }
  if (fields.has("rope_scaling")) global.update(fields.object("rope_scaling"), true);
  config.global_theta = global.theta;
  config.local_theta = local.theta;
  config.global_factor = global.is_linear ? global.factor : 1.0;
}

void parse_layer_types(const weights::JsonFields& fields, Gemma3Config& config) {
  const auto num_layers = static_cast<std::size_t>(config.num_hidden_layers);
  if (!fields.has("layer_types")) {
    // One field under the names of two versions.
    const char *key = "sliding_window_pattern", *other = "_sliding_window_pattern";
    const std::int64_t pattern = fields.integer(key, fields.integer(other, kDefaultSlidingPattern));
    if (pattern != fields.integer(other, pattern)) fields.fail(key, concat("the same as for '", other, "'"));
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

Gemma3Config Gemma3Config::parse(const weights::JsonFields& fields) {
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
  const weights::JsonFields root(json, "config.json");
  if (root.has("quantization_config"))
    throw Error(ErrorCode::Unsupported,
                "config.json: quantization_config is set; brain3d reads float32, float16 and bfloat16 weights, so give "
                "the unquantised model",
                {"config.json", "quantization_config", -1});
  const std::string type = root.text("model_type");
  if (type == "gemma3_text") return parse(root);
  if (type != "gemma3") root.fail("model_type", "gemma3 or gemma3_text (a language backbone)");
  if (root.is_null("tie_word_embeddings")) root.fail("tie_word_embeddings", "true or false, or no such field");
  Gemma3Config config = parse(root.object("text_config"));
  config.tie_word_embeddings = root.boolean("tie_word_embeddings", config.tie_word_embeddings);
  config.is_multimodal = true;
  return config;
}

}  // namespace brain3d::models
