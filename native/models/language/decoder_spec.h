// A decoder's sizes, and which of the optional parts its layers have. A model family makes the spec of a config.json
// (family.h). The file includes no torch, so that a configuration can be read without it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/activation.h"

namespace brain3d::models {

/// The rotary embedding of the layers of one kind, and how far back they see.
struct LayerKind {
  double rope_theta = 1e4;
  double rope_factor = 1.0;  // positions are divided by it
  std::int64_t window = 0;   // positions seen, the query's own included; 0 where all before it are
};

/// The names of a layer's norms ("input_layernorm"). The two behind attention and MLP are optional. An empty name means
/// that the layer has no such norm.
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
  std::vector<std::size_t> layer_kinds;  // an index into `kinds` for each layer
  LayerNorms norms;
  double rms_norm_eps = 1e-6;
  double norm_offset = 0;  // a norm multiplies by the stored weight plus this
  bool has_qk_norms = false;
  bool has_qkv_bias = false;
  nn::Activation activation = nn::Activation::Silu;
  double attention_scale = 1.0;  // the factor of q k^t
  double embedding_scale = 1.0;  // the factor of looked-up embeddings
  bool tie_word_embeddings = false;

  /// The published class's name for the decoder, with the dot. The names of an adapter that PEFT can read begin with
  /// it.
  std::string module_prefix = "model.";
  /// Canonical names that begin with one of these belong to other parts of the directory's model.
  std::vector<std::string> unused_tensors;

  std::int64_t num_hidden_layers() const { return static_cast<std::int64_t>(layer_kinds.size()); }
};

}  // namespace brain3d::models
