// A LoRA adapter in PEFT's format.   [LORA]
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/linear.h"
#include "weights/lora_config.h"

namespace brain3d::weights {

/// delta W = scaling * B A for one linear layer, y = W x + scaling * B (A x).
struct LoraWeights {
  at::Tensor lora_A;  // (R, in) float32
  at::Tensor lora_B;  // (out, R) float32
  double scaling = 1.0;
  std::string key = {};  // the module's name in the class that PEFT adapted: "model.layers.0.self_attn.q_proj"

  /// scaling * B A, (out, in) float32.
  at::Tensor delta() const;
};

/// Linear layers of a backbone: module ("text.layers.0.self_attn.q_proj") -> (out, in).
using LinearModules = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;

/// A new adapter, in PEFT's words.
struct LoraSpec {
  std::int64_t rank = 16;
  double alpha = 32;                        // scaling is alpha / rank
  std::vector<std::string> target_modules;  // "q_proj": a module is adapted whose name ends in "." and this
  std::uint64_t seed = 0;
};

class LoraAdapter {
 public:
  LoraAdapter() = default;
  /// A as PEFT draws it, uniform within 1 / sqrt(in); B zero, so that the adapted model starts as its base. A function
  /// of the seed alone. Throws Usage for a target that no module has.
  static LoraAdapter initialise(const LoraSpec& spec, const LinearModules& modules);
  /// Reads adapter_config.json and adapter_model.safetensors. Adapters of the vision tower, which PEFT makes when its
  /// suffix list meets the whole multimodal class, are dropped with a warning: Brain3D never runs that tower.
  /// Throws as LoraConfig::read; Weights for an A without its B, two names for one tensor, a rank other than
  /// configured, or tensors that are no LoRA.
  static LoraAdapter read(const std::string& dir);

  bool empty() const { return layers_.empty(); }
  const LoraConfig& config() const { return config_; }
  /// The weights by module: "text.layers.0.self_attn.q_proj".
  const std::map<std::string, LoraWeights>& layers() const { return layers_; }
  const LoraWeights* find(const std::string& module) const;
  /// Throws Weights unless every layer is one of `modules` (module -> (out, in)) with fitting shapes and a finite
  /// delta, every layer is one that the configuration selects, and every module that it selects has its layer.
  void check_against(const LinearModules& modules) const;

  std::int64_t num_parameters() const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  explicit LoraAdapter(LoraConfig config) : config_(std::move(config)) {}
  void check_selection(const LinearModules& modules) const;

  LoraConfig config_{1, 1, {}};
  std::map<std::string, LoraWeights> layers_;
  std::vector<std::string> warnings_;
};

/// adapter_model.safetensors with PEFT's names for a class that calls its decoder `module_prefix` ("model.");
/// atomically. Throws Usage without branches.
void write_adapter_weights(const std::string& file, const std::vector<nn::LoraBranch*>& branches,
                           const std::string& module_prefix);

}  // namespace brain3d::weights
