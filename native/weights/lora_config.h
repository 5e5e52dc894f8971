// adapter_config.json: what of PEFT's configuration brain3d computes, and a refusal of all the rest.   [LORA]
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "weights/json_fields.h"

namespace brain3d::weights {

inline constexpr const char* kAdapterConfigName = "adapter_config.json";

/// An adapter that is W + scaling * B A over the untouched base, and which modules it is for.
class LoraConfig {
 public:
  /// The configuration of a new adapter: scaling is alpha / rank; a module is selected whose name ends in "." and one
  /// of `targets`.
  LoraConfig(std::int64_t rank, double alpha, std::vector<std::string> targets);

  /// Reads DIR/adapter_config.json. Every field must be one that brain3d knows, with a value whose meaning it computes:
  /// PEFT's default, or one that only matters while an adapter is trained. Throws Unsupported naming the field for any
  /// other, Config for a value that cannot be.
  static LoraConfig read(const std::string& dir);

  std::int64_t rank() const { return rank_; }
  double alpha() const { return alpha_; }
  bool use_rslora() const { return use_rslora_; }
  /// alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA.
  double scaling() const;

  /// `Unknown`: a regular expression decides, and brain3d runs none that a file brings.
  enum class Selection { Yes, No, Unknown };
  /// True if PEFT adapts the module `key` ("model.layers.0.self_attn.q_proj", as the module is called in its class):
  /// target_modules, less exclude_modules, within layers_to_transform.
  Selection selects(const std::string& key) const;

 private:
  LoraConfig() = default;
  void read_selection(const JsonFields& fields);
  bool is_in_layers(const std::string& key) const;

  std::int64_t rank_ = 0;
  double alpha_ = 0;
  bool use_rslora_ = false;
  enum class Targets { Names, AllLinear, Expression } targets_ = Targets::Names;
  std::vector<std::string> target_names_;
  bool excludes_by_expression_ = false;
  std::vector<std::string> excluded_names_;
  std::optional<std::set<std::int64_t>> layers_;  // none: every layer
};

/// "text.layers.0.self_attn.q_proj" ends with the name "q_proj": it is the name, or has "." and the name at its end.
bool ends_with_name(const std::string& module, const std::string& name);

}  // namespace brain3d::weights
