// Loads a decoder: declares the tensors that it expects, and fuses q, k, v and gate, up on the way in.
#include <algorithm>
#include <utility>

#include "base/error.h"
#include "models/language/decoder.h"
#include "weights/layer_weights.h"

namespace brain3d::models {

namespace {

constexpr const char* kEmbedding = "text.embed_tokens.weight";
constexpr const char* kFinalNorm = "text.norm.weight";
constexpr const char* kHead = "lm_head.weight";

std::string layer_prefix(std::int64_t layer) { return concat("text.layers.", layer, "."); }

std::string norm_name(const std::string& prefix, const std::string& norm) { return concat(prefix, norm, ".weight"); }

std::vector<std::string> with_prefix(const std::string& prefix, std::initializer_list<const char*> names) {
  std::vector<std::string> modules;
  for (const char* name : names) modules.push_back(concat(prefix, name));
  return modules;
}

/// The modules of a layer, grouped as they are fused.
struct LayerModules {
  explicit LayerModules(const std::string& prefix)
      : qkv(with_prefix(prefix, {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"})),
        o(with_prefix(prefix, {"self_attn.o_proj"})),
        gate_up(with_prefix(prefix, {"mlp.gate_proj", "mlp.up_proj"})),
        down(with_prefix(prefix, {"mlp.down_proj"})) {}
  std::vector<std::string> qkv, o, gate_up, down;
};

/// A norm's scale, the offset added, in float32: bfloat16 would round 1 + w.
at::Tensor load_norm_scale(weights::WeightSource& source, const std::string& name, double offset,
                           at::TensorOptions options) {
  at::Tensor scale = source.read(name, options.dtype(at::kFloat));
  return offset == 0 ? scale : scale.add_(offset);
}

/// The scale rounded to the dtype of the weights. For bfloat16, sqrt(2560) is 50.5 and not 50.596.
double rounded(double scale, at::ScalarType dtype) {
  return at::scalar_tensor(scale, at::TensorOptions().dtype(dtype)).item<double>();
}

}  // namespace

weights::LinearModules Decoder::linear_modules(const DecoderSpec& spec) {
  const auto width = spec.hidden_size, inner = spec.intermediate_size;
  const auto q = spec.num_attention_heads * spec.head_dim, kv = spec.num_key_value_heads * spec.head_dim;
  weights::LinearModules modules;
  for (std::int64_t layer = 0; layer < spec.num_hidden_layers(); ++layer) {
    const LayerModules names(layer_prefix(layer));
    modules[names.qkv[0]] = {q, width};
    modules[names.qkv[1]] = modules[names.qkv[2]] = {kv, width};
    modules[names.o[0]] = {width, q};
    modules[names.gate_up[0]] = modules[names.gate_up[1]] = {inner, width};
    modules[names.down[0]] = {width, inner};
  }
  return modules;
}

void Decoder::expect(const DecoderSpec& spec, weights::ExpectedTensors& expected) {
  const auto width = spec.hidden_size;
  expected[kEmbedding] = {spec.vocab_size, width};
  expected[kFinalNorm] = {width};
  if (!spec.tie_word_embeddings) expected[kHead] = {spec.vocab_size, width};
  const auto modules = linear_modules(spec);
  for (const auto& [module, shape] : modules) expected[module + ".weight"] = {shape.first, shape.second};
  const auto& [before_attention, after_attention, before_mlp, after_mlp] = spec.norms;
  for (std::int64_t layer = 0; layer < spec.num_hidden_layers(); ++layer) {
    const std::string prefix = layer_prefix(layer);
    for (const std::string& norm : {before_attention, after_attention, before_mlp, after_mlp})
      if (!norm.empty()) expected[norm_name(prefix, norm)] = {width};
    if (spec.has_qk_norms)
      for (const char* norm : {"self_attn.q_norm", "self_attn.k_norm"})
        expected[norm_name(prefix, norm)] = {spec.head_dim};
    if (spec.has_qkv_bias)
      for (const std::string& module : LayerModules(prefix).qkv)
        expected[module + ".bias"] = {modules.at(module).first};
  }
}

weights::WeightSource Decoder::open_backbone(const std::string& dir, const DecoderSpec& spec) {
  weights::ExpectedTensors expected;
  expect(spec, expected);
  io::SafetensorsSet files = io::SafetensorsSet::open_directory(dir);
  // Some writers store a tied head beside the embedding; `load` compares the two.
  for (const auto& [name, located] : files.tensors())
    if (weights::canonical_tensor_name(name) == kHead) expected[kHead] = {spec.vocab_size, spec.hidden_size};
  const auto is_unused = [prefixes = spec.unused_tensors](const std::string& name) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const std::string& prefix) { return name.starts_with(prefix); });
  };
  return weights::WeightSource(std::move(files), "language backbone", std::move(expected), is_unused);
}

Decoder Decoder::load(const DecoderSpec& spec, weights::WeightSource& source, at::TensorOptions options,
                      const weights::LoraAdapter* adapter, bool merge) {
  if (adapter != nullptr) adapter->check_against(linear_modules(spec));
  Decoder model;
  model.spec_ = spec;
  const at::Tensor embedding = source.read(kEmbedding, options);
  at::Tensor head = source.has(kHead) ? source.read(kHead, options) : embedding;
  if (spec.tie_word_embeddings) {
    if (!at::equal(head, embedding))
      throw Error(
          ErrorCode::Weights,
          "expected lm_head.weight to equal the embedding, as tie_word_embeddings says, got another; if the model "
          "was trained with a head of its own, say so in config.json",
          {"config.json", kHead, -1});
    head = embedding;
  }
  model.embed_tokens_ = embedding;
  model.lm_head_ = head;
  model.embed_scale_ = rounded(spec.embedding_scale, embedding.scalar_type());
  const auto norm_scale = [&](const std::string& name) {
    return load_norm_scale(source, name, spec.norm_offset, options);
  };
  const auto optional_norm = [&](const std::string& prefix, const std::string& name) {
    return name.empty() ? std::nullopt : std::optional<at::Tensor>(norm_scale(norm_name(prefix, name)));
  };
  model.norm_ = norm_scale(kFinalNorm);
  weights::LinearLoader linears(source, options, adapter, merge);
  for (std::int64_t index = 0; index < spec.num_hidden_layers(); ++index) {
    const std::string prefix = layer_prefix(index);
    const LayerModules names(prefix);
    DecoderLayer layer;
    layer.before_attention = norm_scale(norm_name(prefix, spec.norms.before_attention));
    layer.after_attention = optional_norm(prefix, spec.norms.after_attention);
    layer.before_mlp = norm_scale(norm_name(prefix, spec.norms.before_mlp));
    layer.after_mlp = optional_norm(prefix, spec.norms.after_mlp);
    layer.q_norm = optional_norm(prefix, spec.has_qk_norms ? "self_attn.q_norm" : "");
    layer.k_norm = optional_norm(prefix, spec.has_qk_norms ? "self_attn.k_norm" : "");
    layer.qkv_proj = linears.load(names.qkv);
    layer.o_proj = linears.load(names.o);
    layer.mlp = {linears.load(names.gate_up), linears.load(names.down), spec.activation};
    layer.kind = spec.layer_kinds[static_cast<std::size_t>(index)];
    model.layers_.push_back(std::move(layer));
  }
  return model;
}

}  // namespace brain3d::models
