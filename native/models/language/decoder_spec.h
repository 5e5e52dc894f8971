// What tells one decoder from another: sizes, and which of the optional parts its layers have. A model family makes it
// of a config.json (family.h). Without torch, so that a configuration can be read without it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/activation.h"

namespace brain3d::models {

/// What the layers of one kind have in common: their rotary embedding, and how far back they see.
struct LayerKind {
  double rope_theta = 1e4;
  double rope_factor = 1.0;  // positions are divided by it
  std::int64_t window = 0;   // positions seen, the query's own included; 0 where all before it are
};

/// How a layer calls its norms ("input_layernorm"). The two behind attention and MLP are optional: empty means that the
/// layer has none.
struct LayerNorms {
  std::string before_attention, after_attention, before_mlp, after_mlp;
};

struct DecoderSpec {
  std::int64_t vocab_size = 0;           // V
  std::int64_t hidden_size = 0;          // M
  std::int64_t intermediate_size = 0;    // F
  std::int64_t num_attention_heads = 0;  // Nh
  std::int64_t num_key_value_heads = 0;  // Nkv
  std::int64_t head_dim = 0;             // Dh; Nh * Dh need not be M
  std::int64_t max_position_embeddings = 0;

  std::vector<LayerKind> kinds;
  std::vector<std::size_t> layer_kinds;  // of each layer, an index into `kinds`
  LayerNorms norms;
  double rms_norm_eps = 1e-6;
  double norm_offset = 0;  // a norm multiplies by this plus the stored weight
  bool has_qk_norms = false;
  bool has_qkv_bias = false;
  nn::Activation activation = nn::Activation::Silu;
  double attention_scale = 1.0;  // of q k^t
  double embedding_scale = 1.0;  // of looked-up embeddings
  bool tie_word_embeddings = false;

  /// How the published class calls the decoder, with the dot: the names of an adapter that PEFT can read begin so.
  std::string module_prefix = "model.";
  /// Tensors of a directory that are another part's begin so, in canonical form.
  std::vector<std::string> unused_tensors;

  std::int64_t num_hidden_layers() const { return static_cast<std::int64_t>(layer_kinds.size()); }
};

}  // namespace brain3d::models
