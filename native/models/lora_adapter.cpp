#include "models/lora_adapter.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "io/safetensors.h"
#include "models/json_fields.h"
#include "models/tensor_names.h"
#include "models/weight_source.h"

namespace brain3d::models {

namespace {

constexpr const char* kConfigName = "adapter_config.json";
constexpr const char* kWeightsName = "adapter_model.safetensors";

[[noreturn]] void refuse(const std::string& field, const std::string& why) {
  throw Error(ErrorCode::Unsupported, concat(kConfigName, ": '", field, "' ", why), {kConfigName, field, -1});
}

bool is_set(const io::Json& value) {
  if (value.is_null()) return false;
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_object() || value.is_array() || value.is_string()) return !value.empty();
  return true;
}

void refuse_variants(const JsonFields& config) {
  const std::string type = config.text("peft_type");
  if (type != "LORA") refuse("peft_type", concat("is ", type, "; brain3d reads LORA"));
  if (config.text("bias", "none") != "none") refuse("bias", "is not 'none'; trained biases are not supported");
  for (const char* field : {"use_dora", "lora_bias", "fan_in_fan_out", "modules_to_save", "rank_pattern",
                            "alpha_pattern", "layers_to_transform", "layer_replication", "target_parameters",
                            "use_qalora", "use_bdlora", "trainable_token_indices", "alora_invocation_tokens"})
    if (config.has(field) && is_set(config.raw(field))) refuse(field, "is set, and brain3d does not support it");
}

double read_scaling(const JsonFields& config, std::int64_t rank) {
  const double alpha = config.positive("lora_alpha");
  const auto r = static_cast<double>(rank);
  return config.boolean("use_rslora", false) ? alpha / std::sqrt(r) : alpha / r;
}

std::vector<std::string> read_targets(const JsonFields& config) {
  const io::Json& targets = config.raw("target_modules");
  std::vector<std::string> suffixes;
  if (targets.is_string()) return suffixes;
  if (!targets.is_array()) config.fail("target_modules", "a list of names or a regular expression");
  for (const io::Json& target : targets) {
    if (!target.is_string()) config.fail("target_modules", "a list of names");
    suffixes.push_back(target.get<std::string>());
  }
  return suffixes;
}

[[noreturn]] void bad_tensor(const std::string& name, const std::string& why) {
  throw Error(ErrorCode::Weights, concat(kWeightsName, ": tensor '", name, "' ", why), {kWeightsName, name, -1});
}

/// "text.layers.0.self_attn.q_proj" and which of A and B; false for a name that is neither.
bool split_name(const std::string& canonical, std::string& module, bool& is_a) {
  for (const bool a : {true, false}) {
    const std::string suffix = a ? ".lora_A.weight" : ".lora_B.weight";
    if (canonical.size() <= suffix.size() ||
        canonical.compare(canonical.size() - suffix.size(), suffix.size(), suffix) != 0)
      continue;
    module = canonical.substr(0, canonical.size() - suffix.size());
    is_a = a;
    return true;
  }
  return false;
}

/// "text.layers.0.self_attn.q_proj" ends with the name "q_proj".
bool ends_with_name(const std::string& module, const std::string& suffix) {
  const std::string dotted = "." + suffix;
  return module.size() > dotted.size() && module.compare(module.size() - dotted.size(), dotted.size(), dotted) == 0;
}

}  // namespace

at::Tensor LoraWeights::delta() const { return at::mm(lora_B, lora_A).mul_(scaling); }

LoraAdapter LoraAdapter::read(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/" + kConfigName);
  const JsonFields config(json, kConfigName);
  refuse_variants(config);
  const std::int64_t rank = config.integer("r", {}, 1, 4096);
  const double scaling = read_scaling(config, rank);

  LoraAdapter adapter;
  adapter.target_suffixes_ = read_targets(config);
  const io::SafetensorsFile file(dir + "/" + kWeightsName);
  std::int64_t num_vision = 0;
  for (const auto& [name, entry] : file.tensors()) {
    const std::string canonical = canonical_tensor_name(name);
    if (canonical.rfind("vision.", 0) == 0) {
      ++num_vision;
      continue;
    }
    std::string module;
    bool is_a = false;
    if (!split_name(canonical, module, is_a)) bad_tensor(name, "is no lora_A or lora_B weight");
    if (entry.shape.size() != 2 || entry.shape[is_a ? 0 : 1] != rank)
      bad_tensor(name,
                 concat("does not have the configured rank ", rank, ": its shape is ", at::IntArrayRef(entry.shape)));
    LoraWeights& layer = adapter.layers_[module];
    at::Tensor& half = is_a ? layer.lora_A : layer.lora_B;
    half = view_of(file, name, entry).to(at::kFloat, false, /*copy=*/true);
    require_finite(half, name, kWeightsName);
    layer.scaling = scaling;
  }
  for (const auto& [module, layer] : adapter.layers_)
    if (!layer.lora_A.defined() || !layer.lora_B.defined())
      bad_tensor(module, layer.lora_A.defined() ? "has lora_A without lora_B" : "has lora_B without lora_A");
  if (num_vision > 0)
    adapter.warnings_.push_back(concat("the adapter holds ", num_vision,
                                       " tensors of a 2D vision tower that Brain3D does not run; they were left out"));
  return adapter;
}

LoraAdapter LoraAdapter::initialise(const LoraSpec& spec, const LinearModules& modules) {
  LoraAdapter adapter;
  adapter.target_suffixes_ = spec.target_modules;
  SplitMix64 rng(spec.seed);
  for (const auto& [module, shape] : modules) {
    if (!adapter.targets(module)) continue;
    const auto [out, in] = shape;
    LoraWeights& layer = adapter.layers_[module];
    layer.lora_A = at::empty({spec.rank, in}, at::kFloat);
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    auto* values = layer.lora_A.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < layer.lora_A.numel(); ++i)
      values[i] = static_cast<float>((2.0 * rng.uniform() - 1.0) * bound);
    layer.lora_B = at::zeros({out, spec.rank}, at::kFloat);
    layer.scaling = spec.alpha / static_cast<double>(spec.rank);
  }
  for (const std::string& suffix : spec.target_modules) {
    const bool found = std::any_of(modules.begin(), modules.end(),
                                   [&](const auto& item) { return ends_with_name(item.first, suffix); });
    B3D_CHECK(found, Usage, "expected target modules of the language model such as q_proj or down_proj, got '", suffix,
              "', which it does not have");
  }
  return adapter;
}

const LoraWeights* LoraAdapter::find(const std::string& module) const {
  const auto found = layers_.find(module);
  return found == layers_.end() ? nullptr : &found->second;
}

bool LoraAdapter::targets(const std::string& module) const {
  return std::any_of(target_suffixes_.begin(), target_suffixes_.end(),
                     [&](const std::string& suffix) { return ends_with_name(module, suffix); });
}

void LoraAdapter::check_against(const LinearModules& modules) const {
  for (const auto& [module, layer] : layers_) {
    const auto found = modules.find(module);
    if (found == modules.end())
      bad_tensor(module, "adapts a layer that the language backbone does not have; the adapter is for another model");
    const auto [out, in] = found->second;
    if (layer.lora_A.size(1) != in || layer.lora_B.size(0) != out)
      bad_tensor(module,
                 concat("adapts a layer of ", layer.lora_B.size(0), " x ", layer.lora_A.size(1),
                        ", but the language backbone's is ", out, " x ", in, "; the adapter is for another model"));
  }
  for (const auto& [module, shape] : modules)
    if (targets(module) && find(module) == nullptr)
      bad_tensor(module, "is missing, though adapter_config.json targets it");
  if (layers_.empty()) bad_tensor("*", "are missing: the adapter holds none for the language model");
}

std::int64_t LoraAdapter::num_parameters() const {
  std::int64_t total = 0;
  for (const auto& [module, layer] : layers_) total += layer.lora_A.numel() + layer.lora_B.numel();
  return total;
}

void write_adapter_weights(const std::string& file, const std::vector<nn::LoraBranch*>& branches, bool is_multimodal) {
  B3D_CHECK(!branches.empty(), Usage, "expected a model with an adapter, got one without");
  const std::string text = "text.";
  const std::string prefix = is_multimodal ? "base_model.model.model.language_model." : "base_model.model.model.";
  std::vector<at::Tensor> held;
  std::vector<io::TensorToWrite> records;
  for (const nn::LoraBranch* branch : branches) {
    const std::string module = prefix + branch->module.substr(text.size());
    for (const auto& [suffix, tensor] :
         {std::pair(".lora_A.weight", branch->lora_A), {".lora_B.weight", branch->lora_B}}) {
      held.push_back(tensor.to(at::kCPU, at::kFloat).contiguous());
      records.push_back({module + suffix, io::DType::F32, held.back().sizes().vec(), held.back().const_data_ptr()});
    }
  }
  io::write_safetensors(file, records, {{"format", "pt"}});
}

}  // namespace brain3d::models
