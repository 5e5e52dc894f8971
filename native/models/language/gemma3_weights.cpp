// Loading of the Gemma 3 decoder: which tensors it expects, and how q, k, v and gate, up are fused on the way in.
#include <cmath>

#include "base/error.h"
#include "models/language/gemma3.h"

namespace brain3d::models {

namespace {

constexpr const char* kHead = "lm_head.weight";

/// A linear layer of the files that becomes rows [begin, begin + out) of a fused one.
struct Part {
  std::string module;  // "text.layers.0.self_attn.q_proj"
  std::int64_t out;
};

std::string layer_prefix(std::int64_t layer) { return concat("text.layers.", layer, "."); }

std::vector<Part> qkv_parts(const Gemma3Config& config, const std::string& prefix) {
  const auto q = config.num_attention_heads * config.head_dim, kv = config.num_key_value_heads * config.head_dim;
  return {{prefix + "self_attn.q_proj", q}, {prefix + "self_attn.k_proj", kv}, {prefix + "self_attn.v_proj", kv}};
}

std::vector<Part> gate_up_parts(const Gemma3Config& config, const std::string& prefix) {
  return {{prefix + "mlp.gate_proj", config.intermediate_size}, {prefix + "mlp.up_proj", config.intermediate_size}};
}

std::vector<Part> o_part(const Gemma3Config& config, const std::string& prefix) {
  return {{prefix + "self_attn.o_proj", config.hidden_size}};
}

std::vector<Part> down_part(const Gemma3Config& config, const std::string& prefix) {
  return {{prefix + "mlp.down_proj", config.hidden_size}};
}

class LinearLoader {
 public:
  LinearLoader(weights::WeightSource& source, at::TensorOptions options, const weights::LoraAdapter* adapter,
               bool merge)
      : source_(source), options_(options), adapter_(adapter), merge_(merge) {}

  nn::Linear load(const std::vector<Part>& parts, std::int64_t in) {
    std::int64_t total = 0;
    for (const Part& part : parts) total += part.out;
    nn::Linear fused{at::empty({total, in}, options_), {}, {}};
    std::int64_t begin = 0;
    for (const Part& part : parts) {
      load_part(part, fused, begin);
      begin += part.out;
    }
    return fused;
  }

 private:
  void load_part(const Part& part, nn::Linear& fused, std::int64_t begin) {
    const std::string name = part.module + ".weight";
    const at::Tensor rows = fused.weight.narrow(0, begin, part.out);
    const weights::LoraWeights* lora = adapter_ == nullptr ? nullptr : adapter_->find(part.module);
    if (lora == nullptr) {
      source_.read_into(name, rows);
    } else if (merge_) {
      // W' = W + scaling * B A in float32, rounded once: merging in bfloat16 would lose most of a small delta.
      at::Tensor merged = source_.read(name, at::TensorOptions().dtype(at::kFloat));
      rows.copy_(merged.add_(lora->delta()));
      weights::require_finite(rows, name, "the base with its adapter");
    } else {
      source_.read_into(name, rows);
      const auto float32 = options_.dtype(at::kFloat);
      fused.lora.push_back(
          {lora->lora_A.to(float32), lora->lora_B.to(float32), lora->scaling, begin, part.module, next_site_++});
    }
  }

  weights::WeightSource& source_;
  at::TensorOptions options_;
  const weights::LoraAdapter* adapter_;
  bool merge_;
  std::uint64_t next_site_ = 0;
};

/// Stored norm weights are zero-centred; 1 + w is kept in float32, since bfloat16 would round it.
at::Tensor load_norm(weights::WeightSource& source, const std::string& name, at::TensorOptions options) {
  return source.read(name + ".weight", options.dtype(at::kFloat)).add_(1.0);
}

bool is_unused_text_tensor(const std::string& name) {
  for (const char* prefix : {"vision.", "mmproj."})
    if (name.rfind(prefix, 0) == 0) return true;
  return false;
}

/// sqrt(M) rounded to the dtype of the weights: 50.5, not 50.596, for bfloat16 and M = 2560.
double embedding_scale(std::int64_t hidden_size, at::ScalarType dtype) {
  return at::scalar_tensor(std::sqrt(static_cast<double>(hidden_size)), at::TensorOptions().dtype(dtype))
      .item<double>();
}

}  // namespace

weights::LinearModules Gemma3::linear_modules(const Gemma3Config& config) {
  weights::LinearModules modules;
  const auto add = [&modules](const std::vector<Part>& parts, std::int64_t in) {
    for (const Part& part : parts) modules[part.module] = {part.out, in};
  };
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = layer_prefix(layer);
    add(qkv_parts(config, prefix), config.hidden_size);
    add(o_part(config, prefix), config.num_attention_heads * config.head_dim);
    add(gate_up_parts(config, prefix), config.hidden_size);
    add(down_part(config, prefix), config.intermediate_size);
  }
  return modules;
}

void Gemma3::expect(const Gemma3Config& config, weights::ExpectedTensors& expected) {
  const auto width = config.hidden_size;
  expected["text.embed_tokens.weight"] = {config.vocab_size, width};
  expected["text.norm.weight"] = {width};
  if (!config.tie_word_embeddings) expected[kHead] = {config.vocab_size, width};
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::string prefix = layer_prefix(layer);
    for (const char* norm :
         {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"})
      expected[prefix + norm + ".weight"] = {width};
    expected[prefix + "self_attn.q_norm.weight"] = {config.head_dim};
    expected[prefix + "self_attn.k_norm.weight"] = {config.head_dim};
  }
  for (const auto& [module, shape] : linear_modules(config)) expected[module + ".weight"] = {shape.first, shape.second};
}

weights::WeightSource Gemma3::open_backbone(const std::string& dir, const Gemma3Config& config) {
  weights::ExpectedTensors expected;
  expect(config, expected);
  io::SafetensorsSet files = io::SafetensorsSet::open_directory(dir);
  // Some writers store a tied head beside the embedding; `load` compares the two.
  for (const auto& [name, located] : files.tensors())
    if (weights::canonical_tensor_name(name) == kHead) expected[kHead] = {config.vocab_size, config.hidden_size};
  return weights::WeightSource(std::move(files), "language backbone", std::move(expected), is_unused_text_tensor);
}

Gemma3 Gemma3::load(const Gemma3Config& config, weights::WeightSource& source, at::TensorOptions options,
                    const weights::LoraAdapter* adapter, bool merge) {
  if (adapter != nullptr) adapter->check_against(linear_modules(config));
  Gemma3 model;
  model.config_ = config;
  model.embed_tokens_ = source.read("text.embed_tokens.weight", options);
  model.lm_head_ = source.has(kHead) ? source.read(kHead, options) : model.embed_tokens_;
  if (config.tie_word_embeddings) {
    if (!at::equal(model.lm_head_, model.embed_tokens_))
      throw Error(
          ErrorCode::Weights,
          "expected lm_head.weight to equal the embedding, as tie_word_embeddings says, got another; if the model "
          "was trained with a head of its own, say so in config.json",
          {"config.json", kHead, -1});
    model.lm_head_ = model.embed_tokens_;
  }
  model.embed_scale_ = embedding_scale(config.hidden_size, model.embed_tokens_.scalar_type());
  model.norm_ = load_norm(source, "text.norm", options);
  LinearLoader linears(source, options, adapter, merge);
  for (std::int64_t index = 0; index < config.num_hidden_layers; ++index) {
    const std::string prefix = layer_prefix(index);
    Gemma3Layer layer;
    layer.input_layernorm = load_norm(source, prefix + "input_layernorm", options);
    layer.post_attention_layernorm = load_norm(source, prefix + "post_attention_layernorm", options);
    layer.pre_feedforward_layernorm = load_norm(source, prefix + "pre_feedforward_layernorm", options);
    layer.post_feedforward_layernorm = load_norm(source, prefix + "post_feedforward_layernorm", options);
    layer.q_norm = load_norm(source, prefix + "self_attn.q_norm", options);
    layer.k_norm = load_norm(source, prefix + "self_attn.k_norm", options);
    layer.qkv_proj = linears.load(qkv_parts(config, prefix), config.hidden_size);
    layer.o_proj = linears.load(o_part(config, prefix), config.num_attention_heads * config.head_dim);
    layer.mlp.gate_up_proj = linears.load(gate_up_parts(config, prefix), config.hidden_size);
    layer.mlp.down_proj = linears.load(down_part(config, prefix), config.intermediate_size);
    layer.is_sliding = config.is_sliding[static_cast<std::size_t>(index)];
    model.layers_.push_back(std::move(layer));
  }
  return model;
}

}  // namespace brain3d::models
