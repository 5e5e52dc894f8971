#include "models/text/roberta_config.h"

#include "base/error.h"

namespace brain3d::models {

namespace {

void refuse_unsupported(const weights::JsonFields& fields) {
  if (fields.text("hidden_act", "gelu") != "gelu") fields.fail("hidden_act", "gelu");
  if (fields.text("position_embedding_type", "absolute") != "absolute")
    fields.fail("position_embedding_type", "absolute");
  for (const char* key : {"is_decoder", "add_cross_attention"})
    if (fields.boolean(key, false)) fields.fail(key, "false (an encoder)");
}

}  // namespace

RobertaConfig RobertaConfig::read(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/config.json");
  const weights::JsonFields fields(json, "config.json");
  if (fields.text("model_type") != "roberta") fields.fail("model_type", "roberta");
  refuse_unsupported(fields);
  RobertaConfig config;
  config.vocab_size = fields.integer("vocab_size", config.vocab_size);
  config.hidden_size = fields.integer("hidden_size", config.hidden_size);
  config.intermediate_size = fields.integer("intermediate_size", config.intermediate_size);
  config.num_hidden_layers = fields.integer("num_hidden_layers", config.num_hidden_layers, 1, 1024);
  config.num_attention_heads = fields.integer("num_attention_heads", config.num_attention_heads);
  config.max_position_embeddings = fields.integer("max_position_embeddings", config.max_position_embeddings);
  config.type_vocab_size = fields.integer("type_vocab_size", config.type_vocab_size);
  config.layer_norm_eps = fields.positive("layer_norm_eps", config.layer_norm_eps);
  const std::int64_t last_id = config.vocab_size - 1;
  config.bos_token_id = fields.integer("bos_token_id", config.bos_token_id, 0, last_id);
  config.pad_token_id = fields.integer("pad_token_id", config.pad_token_id, 0, last_id);
  config.eos_token_id = fields.integer("eos_token_id", config.eos_token_id, 0, last_id);
  if (config.hidden_size % config.num_attention_heads != 0)
    fields.fail("num_attention_heads", "a divisor of hidden_size");
  if (config.max_tokens() < 2) fields.fail("max_position_embeddings", "room for two tokens behind the padding's row");
  return config;
}

}  // namespace brain3d::models
