// Hyperparameters of a Gemma 3 text decoder, from config.json in either dialect.   [GEMMA3]
#pragma once

#include <string>
#include <vector>

#include "weights/json_fields.h"

namespace brain3d::models {

/// Absent fields take the library's defaults: the published multimodal 4B config lists only a few of them.
struct Gemma3Config {
  std::int64_t vocab_size = 262208;       // V
  std::int64_t hidden_size = 2304;        // M
  std::int64_t intermediate_size = 9216;  // F
  std::int64_t num_hidden_layers = 26;
  std::int64_t num_attention_heads = 8;  // Nh
  std::int64_t num_key_value_heads = 4;  // Nkv
  std::int64_t head_dim = 256;           // Dh; Nh * Dh need not be M
  std::int64_t max_position_embeddings = 131072;
  double rms_norm_eps = 1e-6;
  double query_pre_attn_scalar = 256;
  std::int64_t sliding_window = 4096;
  std::vector<bool> is_sliding;  // one a layer
  double global_theta = 1e6;
  double global_factor = 1.0;  // linear scaling, global layers only
  double local_theta = 1e4;
  bool tie_word_embeddings = true;
  bool is_multimodal = false;  // the decoder of a Gemma3ForConditionalGeneration, which names its tensors otherwise

  static Gemma3Config parse(const weights::JsonFields& text_config);
  /// Reads DIR/config.json: model_type gemma3_text or gemma3.
  static Gemma3Config read(const std::string& dir);
};

}  // namespace brain3d::models
