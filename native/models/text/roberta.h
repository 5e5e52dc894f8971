// A RoBERTa encoder up to one of its hidden states.   [ROBERTA]
#pragma once

#include <vector>

#include "base/cancel.h"
#include "models/text/roberta_config.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "weights/weight_source.h"

namespace brain3d::models {

struct RobertaLayer {
  nn::Linear qkv;  // (3E, E): query, key, value
  nn::Linear attention_output;
  nn::LayerNorm attention_norm;
  nn::Linear intermediate, output;
  nn::LayerNorm output_norm;
};

class RobertaEncoder {
 public:
  /// Opens DIR and compares all of its tensors with the configuration, those above any layer included.
  /// Throws NotFound, Format, Weights.
  static weights::WeightSource open(const std::string& dir, const RobertaConfig& config);

  /// Reads embeddings and the layers below hidden state `layer`, from 0 (embeddings) to num_hidden_layers; no others.
  /// `options` has the device; weights are float32. Throws Usage for another layer.
  static RobertaEncoder load(const RobertaConfig& config, std::int64_t layer, weights::WeightSource& source,
                             at::TensorOptions options);

  /// ids (B, T) int64, padded at the end; mask (B, T) bool, true for tokens, at least one in a row; T at most
  /// max_tokens(). Gives the hidden state (B, T, E); what it holds at padding means nothing.
  /// `cancel` is checked before every layer.
  at::Tensor forward(const at::Tensor& ids, const at::Tensor& mask, const CancelFlag* cancel) const;

  const RobertaConfig& config() const { return config_; }
  at::Device device() const { return word_embeddings_.options().device(); }
  std::int64_t layer() const { return static_cast<std::int64_t>(layers_.size()); }
  std::int64_t weight_bytes() const;

 private:
  at::Tensor embed(const at::Tensor& ids) const;
  at::Tensor attention(const RobertaLayer& layer, const at::Tensor& x, const at::Tensor& mask) const;

  RobertaConfig config_;
  nn::Weight word_embeddings_;      // (V, E)
  nn::Weight position_embeddings_;  // (max_position_embeddings, E)
  at::Tensor token_type_;           // (E): row 0, the only one used
  nn::LayerNorm embeddings_norm_;
  std::vector<RobertaLayer> layers_;
};

}  // namespace brain3d::models
