// Hyperparameters of a RoBERTa encoder, from config.json.   [ROBERTA]
#pragma once

#include <string>

#include "weights/json_fields.h"

namespace brain3d::models {

/// Absent fields take the library's defaults.
struct RobertaConfig {
  std::int64_t vocab_size = 50265;
  std::int64_t hidden_size = 768;         // E
  std::int64_t intermediate_size = 3072;  // F
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  std::int64_t bos_token_id = 0;
  std::int64_t pad_token_id = 1;
  std::int64_t eos_token_id = 2;

  std::int64_t head_dim() const { return hidden_size / num_attention_heads; }
  /// The first token's position is pad_token_id + 1: the rows before it are never looked up.
  std::int64_t max_tokens() const { return max_position_embeddings - pad_token_id - 1; }

  /// Reads DIR/config.json. Throws NotFound, Format, Config (the field named).
  static RobertaConfig read(const std::string& dir);
};

}  // namespace brain3d::models
