#include "models/vision/siglip.h"

#include <cmath>
#include <utility>

#include "base/error.h"
#include "models/vision/position3d.h"
#include "ops/activation.h"
#include "weights/layer_weights.h"

namespace brain3d::models {

namespace {

std::string layer_prefix(std::int64_t layer) { return concat("vision.encoder.layers.", layer, "."); }

std::vector<std::string> qkv_modules(const std::string& attention) {
  return {attention + "q_proj", attention + "k_proj", attention + "v_proj"};
}

std::int64_t count(const nn::LayerNorm& norm) { return norm.weight.numel() + norm.bias.numel(); }
std::int64_t bytes(const nn::LayerNorm& norm) {
  return static_cast<std::int64_t>(norm.weight.nbytes() + norm.bias.nbytes());
}

}  // namespace

void SiglipEncoder::expect(const SiglipConfig& config, weights::ExpectedTensors& expected) {
  const auto width = config.hidden_size, inner = config.intermediate_size;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = layer_prefix(layer);
    for (const char* norm : {"layer_norm1", "layer_norm2"}) weights::expect_layer_norm(expected, prefix + norm, width);
    for (const char* proj : {"q_proj", "k_proj", "v_proj", "out_proj"})
      weights::expect_linear(expected, prefix + "self_attn." + proj, width, width);
    weights::expect_linear(expected, prefix + "mlp.fc1", inner, width);
    weights::expect_linear(expected, prefix + "mlp.fc2", width, inner);
  }
  weights::expect_layer_norm(expected, "vision.post_layernorm", width);
}

SiglipEncoder SiglipEncoder::load(const SiglipConfig& config, weights::WeightSource& source,
                                  at::TensorOptions options) {
  SiglipEncoder encoder;
  encoder.config_ = config;
  weights::LinearLoader linears(source, options);
  for (std::int64_t index = 0; index < config.num_hidden_layers; ++index) {
    const std::string prefix = layer_prefix(index);
    encoder.layers_.push_back({weights::load_layer_norm(source, prefix + "layer_norm1", options),
                               weights::load_layer_norm(source, prefix + "layer_norm2", options),
                               linears.load(qkv_modules(prefix + "self_attn.")),
                               linears.load(prefix + "self_attn.out_proj"), linears.load(prefix + "mlp.fc1"),
                               linears.load(prefix + "mlp.fc2")});
  }
  encoder.post_layernorm_ = weights::load_layer_norm(source, "vision.post_layernorm", options);
  return encoder;
}

at::Tensor SiglipEncoder::attention(const SiglipLayer& layer, at::Tensor normed) const {
  const auto batch = normed.size(0), num_tokens = normed.size(1);
  // (B, N, 3E) -> three (B, Nh, N, Dh) views
  auto qkv = layer.qkv_proj.forward(std::exchange(normed, {})).chunk(3, -1);
  for (at::Tensor& part : qkv)
    part = part.view({batch, num_tokens, config_.num_attention_heads, config_.head_dim()}).transpose(1, 2);
  const double scale = 1.0 / std::sqrt(static_cast<double>(config_.head_dim()));
  at::Tensor out = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], {}, 0.0, false, scale);
  qkv.clear();  // the widest tensor of the block is not held through the projection
  out = out.transpose(1, 2).reshape({batch, num_tokens, config_.hidden_size});
  return layer.out_proj.forward(out);
}

at::Tensor SiglipEncoder::block(std::size_t index, at::Tensor x) const {
  const SiglipLayer& layer = layers_[index];
  const double eps = config_.layer_norm_eps;
  const at::Tensor attended = attention(layer, layer.layer_norm1.forward(x, eps));
  x = ops::add_residual(std::move(x), attended);
  const at::Tensor inner = layer.fc1.forward(layer.layer_norm2.forward(x, eps));
  return ops::add_residual(std::move(x), layer.fc2.forward(ops::gelu_tanh(inner)));
}

at::Tensor SiglipEncoder::final_norm(const at::Tensor& x) const {
  return post_layernorm_.forward(x, config_.layer_norm_eps);
}

at::Tensor SiglipEncoder::forward(at::Tensor x, const CancelFlag* cancel) const {
  return final_norm(run_blocks(std::move(x), cancel));
}

at::Tensor SiglipEncoder::run_blocks(at::Tensor x, const CancelFlag* cancel) const {
  for (std::size_t index = 0; index < layers_.size(); ++index) {
    if (cancel != nullptr) cancel->check();
    x = block(index, std::move(x));
  }
  return x;
}

std::int64_t SiglipEncoder::num_parameters() const {
  std::int64_t total = count(post_layernorm_);
  for (const SiglipLayer& layer : layers_)
    total += count(layer.layer_norm1) + count(layer.layer_norm2) + layer.qkv_proj.num_parameters() +
             layer.out_proj.num_parameters() + layer.fc1.num_parameters() + layer.fc2.num_parameters();
  return total;
}

std::int64_t SiglipEncoder::weight_bytes() const {
  std::int64_t total = bytes(post_layernorm_);
  for (const SiglipLayer& layer : layers_) {
    for (const nn::Linear* linear : {&layer.qkv_proj, &layer.out_proj, &layer.fc1, &layer.fc2})
      total += linear->bytes();
    total += bytes(layer.layer_norm1) + bytes(layer.layer_norm2);
  }
  return total;
}

void SiglipEmbeddings::expect(const SiglipConfig& config, weights::ExpectedTensors& expected) {
  const auto width = config.hidden_size, patch = config.patch_size, side = config.table_side();
  expected["vision.embeddings.patch_embedding.weight"] = {width, config.num_channels, patch, patch};
  expected["vision.embeddings.patch_embedding.bias"] = {width};
  expected["vision.embeddings.position_embedding.weight"] = {side * side, width};
}

SiglipEmbeddings SiglipEmbeddings::load(weights::WeightSource& source, at::TensorOptions options) {
  return {source.read("vision.embeddings.patch_embedding.weight", options),
          source.read("vision.embeddings.patch_embedding.bias", options),
          source.read("vision.embeddings.position_embedding.weight", options)};
}

at::Tensor SiglipEmbeddings::forward(const at::Tensor& pixels) const {
  const at::Tensor patches = at::conv2d(pixels, patch_weight, patch_bias, patch_weight.size(-1));  // (B, E, h, w)
  const at::Tensor positions = interpolate_position_table(position_table, patches.size(2), patches.size(3));
  return patches.flatten(2).transpose(1, 2) + positions.flatten(0, 1).to(patches.scalar_type());
}

bool is_unused_vision_tensor(const std::string& name) {
  for (const char* prefix : {"vision.head.", "text_model.", "logit_scale", "logit_bias", "text.", "mmproj.", "lm_head.",
                             "vision.embeddings.position_ids"})
    if (name.rfind(prefix, 0) == 0) return true;
  return false;
}

weights::WeightSource open_vision_backbone(const std::string& dir, const SiglipConfig& config) {
  weights::ExpectedTensors expected;
  SiglipEncoder::expect(config, expected);
  SiglipEmbeddings::expect(config, expected);
  return weights::WeightSource(io::SafetensorsSet::open_directory(dir), "vision backbone", std::move(expected),
                               is_unused_vision_tensor);
}

}  // namespace brain3d::models
