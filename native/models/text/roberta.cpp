#include "models/text/roberta.h"

#include <cmath>

#include "base/error.h"
#include "ops/activation.h"
#include "weights/layer_weights.h"

namespace brain3d::models {

namespace {

std::string layer_prefix(std::int64_t layer) { return concat("encoder.layer.", layer, "."); }

/// Files of a model with a head prefix the encoder's names.
std::string canonical_name(const std::string& name) {
  constexpr std::string_view kPrefix = "roberta.";
  return name.rfind(kPrefix, 0) == 0 ? name.substr(kPrefix.size()) : name;
}

/// Heads of the published classes, and a buffer that old versions stored.
bool is_unused(const std::string& name) {
  for (const char* prefix : {"pooler.", "lm_head.", "classifier.", "qa_outputs.", "embeddings.position_ids"})
    if (name.rfind(prefix, 0) == 0) return true;
  return false;
}

weights::ExpectedTensors expected_tensors(const RobertaConfig& config) {
  const auto width = config.hidden_size, inner = config.intermediate_size;
  weights::ExpectedTensors expected;
  expected["embeddings.word_embeddings.weight"] = {config.vocab_size, width};
  expected["embeddings.position_embeddings.weight"] = {config.max_position_embeddings, width};
  expected["embeddings.token_type_embeddings.weight"] = {config.type_vocab_size, width};
  weights::expect_layer_norm(expected, "embeddings.LayerNorm", width);
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = layer_prefix(layer);
    for (const char* part : {"query", "key", "value"})
      weights::expect_linear(expected, prefix + "attention.self." + part, width, width);
    weights::expect_linear(expected, prefix + "attention.output.dense", width, width);
    weights::expect_layer_norm(expected, prefix + "attention.output.LayerNorm", width);
    weights::expect_linear(expected, prefix + "intermediate.dense", inner, width);
    weights::expect_linear(expected, prefix + "output.dense", width, inner);
    weights::expect_layer_norm(expected, prefix + "output.LayerNorm", width);
  }
  return expected;
}

RobertaLayer load_layer(weights::WeightSource& source, const std::string& prefix, at::TensorOptions options) {
  weights::LinearLoader linears(source, options);
  const std::string self = prefix + "attention.self.";
  return {linears.load({self + "query", self + "key", self + "value"}),
          linears.load(prefix + "attention.output.dense"),
          weights::load_layer_norm(source, prefix + "attention.output.LayerNorm", options),
          linears.load(prefix + "intermediate.dense"),
          linears.load(prefix + "output.dense"),
          weights::load_layer_norm(source, prefix + "output.LayerNorm", options)};
}

}  // namespace

weights::WeightSource RobertaEncoder::open(const std::string& dir, const RobertaConfig& config) {
  return weights::WeightSource(io::SafetensorsSet::open_directory(dir), "text encoder", expected_tensors(config),
                               is_unused, canonical_name);
}

RobertaEncoder RobertaEncoder::load(const RobertaConfig& config, std::int64_t layer, weights::WeightSource& source,
                                    at::TensorOptions options) {
  B3D_CHECK(layer >= 0 && layer <= config.num_hidden_layers, Usage, "expected a layer from 0 (embeddings) to ",
            config.num_hidden_layers, ", got ", layer);
  const auto float32 = options.dtype(at::kFloat);
  RobertaEncoder encoder;
  encoder.config_ = config;
  encoder.word_embeddings_ = source.read("embeddings.word_embeddings.weight", float32);
  encoder.position_embeddings_ = source.read("embeddings.position_embeddings.weight", float32);
  encoder.token_type_ = source.read("embeddings.token_type_embeddings.weight", float32).select(0, 0);
  encoder.embeddings_norm_ = weights::load_layer_norm(source, "embeddings.LayerNorm", float32);
  for (std::int64_t index = 0; index < layer; ++index)
    encoder.layers_.push_back(load_layer(source, layer_prefix(index), float32));
  return encoder;
}

at::Tensor RobertaEncoder::embed(const at::Tensor& ids) const {
  // Counted over ids, not over the mask: a padding token written in a text has the padding's position, as in the
  // library.
  const at::Tensor is_token = ids.ne(config_.pad_token_id).to(at::kLong);
  const at::Tensor positions = is_token.cumsum(1).mul_(is_token).add_(config_.pad_token_id);
  const at::Tensor sum = word_embeddings_.rows(ids) + token_type_;
  return embeddings_norm_.forward(sum + position_embeddings_.rows(positions), config_.layer_norm_eps);
}

at::Tensor RobertaEncoder::attention(const RobertaLayer& layer, const at::Tensor& x, const at::Tensor& mask) const {
  const auto batch = x.size(0), length = x.size(1);
  // (B, T, 3E) -> three (B, Nh, T, Dh) views
  const auto qkv = layer.qkv.forward(x)
                       .view({batch, length, 3, config_.num_attention_heads, config_.head_dim()})
                       .permute({2, 0, 3, 1, 4})
                       .unbind(0);
  const double scale = 1.0 / std::sqrt(static_cast<double>(config_.head_dim()));
  const at::Tensor out = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], mask, 0.0, false, scale);
  return layer.attention_output.forward(out.transpose(1, 2).reshape({batch, length, config_.hidden_size}));
}

at::Tensor RobertaEncoder::forward(const at::Tensor& ids, const at::Tensor& mask, const CancelFlag* cancel) const {
  B3D_CHECK(ids.size(1) <= config_.max_tokens(), Usage, "expected at most ", config_.max_tokens(),
            " tokens in a text, got ", ids.size(1));
  const double eps = config_.layer_norm_eps;
  const at::Tensor keys = mask.view({ids.size(0), 1, 1, ids.size(1)});  // every query against the tokens of its row
  at::Tensor x = embed(ids);
  for (const RobertaLayer& layer : layers_) {
    if (cancel != nullptr) cancel->check();
    x = layer.attention_norm.forward(ops::add_residual(attention(layer, x, keys), x), eps);
    const at::Tensor inner = ops::gelu_erf(layer.intermediate.forward(x));
    x = layer.output_norm.forward(ops::add_residual(layer.output.forward(inner), x), eps);
  }
  return x;
}

std::int64_t RobertaEncoder::weight_bytes() const {
  std::int64_t total = word_embeddings_.bytes() + position_embeddings_.bytes();
  for (const RobertaLayer& layer : layers_)
    total += layer.qkv.bytes() + layer.attention_output.bytes() + layer.intermediate.bytes() + layer.output.bytes();
  return total;
}

}  // namespace brain3d::models
