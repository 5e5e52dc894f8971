#include "weights/lora_adapter.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "io/safetensors/safetensors.h"
#include "weights/tensor_names.h"
#include "weights/weight_source.h"

namespace brain3d::weights {

namespace {

constexpr const char* kWeightsName = "adapter_model.safetensors";
constexpr const char* kPeftWrapper = "base_model.model.";  // before the names of the class that PEFT adapted

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

/// PEFT's name for the module of a stored name: without the wrapper's prefix and the weight's suffix.
std::string module_key(const std::string& stored) {
  const std::size_t begin = stored.starts_with(kPeftWrapper) ? std::string_view(kPeftWrapper).size() : 0;
  return stored.substr(begin, stored.rfind(".lora_") - begin);
}

/// The module without "text.": "layers.0.self_attn.q_proj".
std::string within_decoder(const std::string& module) { return module.substr(module.find('.') + 1); }

}  // namespace

at::Tensor LoraWeights::delta() const { return at::mm(lora_B, lora_A).mul_(scaling); }

LoraAdapter LoraAdapter::read(const std::string& dir) {
  LoraAdapter adapter(LoraConfig::read(dir));
  const std::int64_t rank = adapter.config_.rank();
  const io::SafetensorsFile file(dir + "/" + kWeightsName);
  std::map<std::string, std::string> keys_of_b;
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
    // No reader can know which of the two is meant; PEFT takes the one that has its own prefix.
    if (half.defined()) bad_tensor(name, concat("is a second name for ", canonical));
    half = view_of(file, name, entry).to(at::kFloat, false, /*copy=*/true);
    require_finite(half, name, kWeightsName);
    layer.scaling = adapter.config_.scaling();
    (is_a ? layer.key : keys_of_b[module]) = module_key(name);
  }
  for (const auto& [module, layer] : adapter.layers_) {
    if (!layer.lora_A.defined() || !layer.lora_B.defined())
      bad_tensor(module, layer.lora_A.defined() ? "has lora_A without lora_B" : "has lora_B without lora_A");
    if (layer.key != keys_of_b.at(module)) bad_tensor(module, "has a lora_B that is named otherwise than its lora_A");
  }
  if (num_vision > 0)
    adapter.warnings_.push_back(concat("the adapter holds ", num_vision,
                                       " tensors of a 2D vision tower that Brain3D does not run; they were left out"));
  return adapter;
}

LoraAdapter LoraAdapter::initialise(const LoraSpec& spec, const LinearModules& modules) {
  LoraAdapter adapter(LoraConfig(spec.rank, spec.alpha, spec.target_modules));
  SplitMix64 rng(spec.seed);
  for (const auto& [module, shape] : modules) {
    if (adapter.config_.selects(module) != LoraConfig::Selection::Yes) continue;
    const auto [out, in] = shape;
    LoraWeights& layer = adapter.layers_[module];
    layer.lora_A = at::empty({spec.rank, in}, at::kFloat);
    const double bound = 1.0 / std::sqrt(static_cast<double>(in));
    auto* values = layer.lora_A.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < layer.lora_A.numel(); ++i)
      values[i] = static_cast<float>((2.0 * rng.uniform() - 1.0) * bound);
    layer.lora_B = at::zeros({out, spec.rank}, at::kFloat);
    layer.scaling = adapter.config_.scaling();
    layer.key = module;
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
    // Both halves are finite; what they make of each other need not be.
    if (!layer.delta().isfinite().all().item<bool>())
      bad_tensor(module,
                 "has values whose product with the scale exceeds float32; the training that wrote it diverged");
  }
  check_selection(modules);
  if (layers_.empty()) bad_tensor("*", "are missing: the adapter holds none for the language model");
}

void LoraAdapter::check_selection(const LinearModules& modules) const {
  // The name of the decoder in the class that PEFT adapted: "model." or "model.language_model.".
  std::string prefix = "model.";
  bool is_first = true;
  for (const auto& [module, layer] : layers_) {
    const std::string inner = within_decoder(module);
    const std::string own = layer.key.substr(0, layer.key.size() - inner.size());
    if (!is_first && own != prefix) bad_tensor(module, "is named as in another class of model than the tensors before");
    prefix = own;
    is_first = false;
    if (config_.selects(layer.key) == LoraConfig::Selection::No)
      bad_tensor(module, concat("is of a module that ", kAdapterConfigName,
                                " does not select (target_modules, exclude_modules, layers_to_transform)"));
  }
  for (const auto& [module, shape] : modules)
    if (find(module) == nullptr && config_.selects(prefix + within_decoder(module)) == LoraConfig::Selection::Yes)
      bad_tensor(module, concat("is missing, though ", kAdapterConfigName, " targets it"));
}

std::int64_t LoraAdapter::num_parameters() const {
  std::int64_t total = 0;
  for (const auto& [module, layer] : layers_) total += layer.lora_A.numel() + layer.lora_B.numel();
  return total;
}

void write_adapter_weights(const std::string& file, const std::vector<nn::LoraBranch*>& branches,
                           const std::string& module_prefix) {
  B3D_CHECK(!branches.empty(), Usage, "expected a model with an adapter, got one without");
  const std::string text = "text.";
  const std::string prefix = kPeftWrapper + module_prefix;
  std::vector<at::Tensor> held;
  std::vector<io::TensorToWrite> records;
  for (const nn::LoraBranch* branch : branches) {
    const std::string module = prefix + branch->module.substr(text.size());
    for (const auto& [suffix, tensor] :
         {std::pair(".lora_A.weight", branch->lora_A), {".lora_B.weight", branch->lora_B}}) {
      held.push_back(tensor.to(at::kCPU, at::kFloat).contiguous());
      require_finite(held.back(), module + suffix, kWeightsName);
      records.push_back({module + suffix, io::DType::F32, held.back().sizes().vec(), held.back().const_data_ptr()});
    }
  }
  io::write_safetensors(file, records, {{"format", "pt"}});
}

}  // namespace brain3d::weights
