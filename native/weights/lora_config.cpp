#include "weights/lora_config.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "base/error.h"
#include "io/text.h"

namespace brain3d::weights {

namespace {

constexpr std::int64_t kMaxRank = 4096;
constexpr std::int64_t kMaxLayer = 1 << 20;

[[noreturn]] void refuse(const std::string& field, const std::string& why) {
  const std::string name = io::printable(field, 80);
  throw Error(ErrorCode::Unsupported, concat(kAdapterConfigName, ": '", name, "' ", why),
              {kAdapterConfigName, name, -1});
}

bool is_off(const io::Json& value) { return value.is_null() || (value.is_boolean() && !value.get<bool>()); }

bool is_empty(const io::Json& value) {
  return is_off(value) || ((value.is_object() || value.is_array() || value.is_string()) && value.empty());
}

bool equals_ignoring_case(const std::string& text, const std::string& lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](unsigned char a, char b) { return std::tolower(a) == b; });
}

/// Initialisations that leave the base as it is. Those that take their A and B out of the base's weights (pissa, olora,
/// corda, loftq, lora_ga) were trained over another base than the one in the folder.
bool keeps_base(const io::Json& init) {
  if (init.is_null() || init.is_boolean()) return true;
  const auto* name = init.get_ptr<const std::string*>();
  if (name == nullptr) return false;
  return *name == "eva" || *name == "orthogonal" || equals_ignoring_case(*name, "mica") ||
         equals_ignoring_case(*name, "gaussian");
}

using Accepts = std::function<bool(const io::Json&)>;

bool anything(const io::Json& /*value*/) { return true; }

/// Every field of PEFT's LoraConfig (0.21) and the values that brain3d computes. A field that is absent has PEFT's
/// default, which is one of them.
const std::map<std::string, Accepts>& accepted_fields() {
  static const std::map<std::string, Accepts> fields = [] {
    std::map<std::string, Accepts> table;
    // They describe, or matter only where an adapter is made or trained.
    for (const char* field : {"auto_mapping", "base_model_name_or_path", "corda_config", "ensure_weight_tying",
                              "eva_config", "inference_mode", "loftq_config", "lora_dropout", "lora_ga_config",
                              "megatron_core", "peft_version", "qalora_group_size", "revision", "task_type"})
      table[field] = anything;
    // `LoraConfig::read` computes or checks them.
    for (const char* field : {"peft_type", "r", "lora_alpha", "use_rslora", "target_modules", "exclude_modules",
                              "layers_to_transform", "layers_pattern"})
      table[field] = anything;
    table["init_lora_weights"] = keeps_base;
    table["bias"] = [](const io::Json& value) {
      const auto* text = value.get_ptr<const std::string*>();
      return value.is_null() || (text != nullptr && *text == "none");
    };
    for (const char* field :
         {"alpha_pattern", "layer_replication", "modules_to_save", "rank_pattern", "target_parameters"})
      table[field] = is_empty;
    // An empty object is not off: PEFT makes a configuration with its defaults of it.
    for (const char* field :
         {"alora_invocation_tokens", "arrow_config", "fan_in_fan_out", "kasa_config", "lora_bias", "megatron_config",
          "monteclora_config", "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora", "velora_config"})
      table[field] = is_off;
    return table;
  }();
  return fields;
}

void refuse_variants(const io::Json& json, const JsonFields& config) {
  const std::string type = config.text("peft_type");
  if (type != "LORA") refuse("peft_type", "is not LORA, the one method that brain3d reads");
  for (const auto& [field, value] : json.items()) {
    const auto known = accepted_fields().find(field);
    if (known == accepted_fields().end()) {
      // A variant that came after PEFT 0.21 and is off.
      if (!is_off(value)) refuse(field, "is not known to brain3d, which may not ignore what it could mean");
    } else if (!known->second(value)) {
      refuse(field, field == "init_lora_weights"
                        ? "changes the base's weights before training; save the adapter with PEFT's "
                          "path_initial_model_for_weight_conversion, which makes plain LoRA of it"
                        : "has a value that brain3d does not support: it adds scaling * B A to the base's weights");
    }
  }
}

/// A name as PEFT compares it; expressions in a list are no names.
std::vector<std::string> read_names(const JsonFields& config, const char* field) {
  const io::Json& list = config.raw(field);
  if (!list.is_array()) config.fail(field, "a list of names or a regular expression");
  std::vector<std::string> names;
  for (const io::Json& name : list) {
    if (!name.is_string()) config.fail(field, "a list of names");
    names.push_back(name.get<std::string>());
  }
  return names;
}

bool any_matches(const std::vector<std::string>& names, const std::string& key) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return ends_with_name(key, name); });
}

/// Nothing where every layer is meant; PEFT takes an empty list for that, too.
std::optional<std::set<std::int64_t>> read_layers(const JsonFields& config) {
  const char* field = "layers_to_transform";
  if (!config.has(field)) return {};
  const io::Json& value = config.raw(field);
  const auto to_layer = [&](const io::Json& layer) {
    if (!layer.is_number_integer() || (layer.is_number_unsigned() && layer.get<std::uint64_t>() > kMaxLayer) ||
        layer.get<std::int64_t>() < 0)
      config.fail(field, "indices of layers");
    return layer.get<std::int64_t>();
  };
  if (!value.is_array()) return std::set<std::int64_t>{to_layer(value)};
  if (value.empty()) return {};
  std::set<std::int64_t> layers;
  for (const io::Json& layer : value) layers.insert(to_layer(layer));
  return layers;
}

/// The list of the model's layers is called "layers"; another name in layers_pattern would select none of them.
void check_layers_pattern(const JsonFields& config) {
  const char* field = "layers_pattern";
  if (!config.has(field) || is_empty(config.raw(field))) return;
  const io::Json& value = config.raw(field);
  const auto is_layers = [](const io::Json& name) {
    const auto* text = name.get_ptr<const std::string*>();
    return text != nullptr && *text == "layers";
  };
  const bool fits = value.is_array() ? std::all_of(value.begin(), value.end(), is_layers) : is_layers(value);
  if (!fits) refuse(field, "is not 'layers', as the language model's list of layers is called");
}

}  // namespace

bool ends_with_name(const std::string& module, const std::string& name) {
  if (name.empty() || !module.ends_with(name)) return false;
  return module.size() == name.size() || module[module.size() - name.size() - 1] == '.';
}

LoraConfig::LoraConfig(std::int64_t rank, double alpha, std::vector<std::string> targets)
    : rank_(rank), alpha_(alpha), target_names_(std::move(targets)) {}

LoraConfig LoraConfig::read(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/" + kAdapterConfigName);
  const JsonFields fields(json, kAdapterConfigName);
  refuse_variants(json, fields);
  LoraConfig config;
  config.rank_ = fields.integer("r", {}, 1, kMaxRank);
  config.alpha_ = fields.positive("lora_alpha");
  config.use_rslora_ = fields.boolean("use_rslora", false);
  // It multiplies float32.
  const double scaling = config.scaling();
  if (scaling < std::numeric_limits<float>::min() || scaling > std::numeric_limits<float>::max())
    fields.fail("lora_alpha", "a scale that float32 holds");
  config.read_selection(fields);
  return config;
}

void LoraConfig::read_selection(const JsonFields& fields) {
  const io::Json& targets = fields.raw("target_modules");
  if (const auto* text = targets.get_ptr<const std::string*>()) {
    targets_ = equals_ignoring_case(*text, "all-linear") ? Targets::AllLinear : Targets::Expression;
  } else {
    target_names_ = read_names(fields, "target_modules");
  }
  if (fields.has("exclude_modules")) {
    const io::Json& excluded = fields.raw("exclude_modules");
    if (excluded.is_string()) {
      excludes_by_expression_ = !excluded.empty();
    } else {
      excluded_names_ = read_names(fields, "exclude_modules");
    }
  }
  layers_ = read_layers(fields);
  if (layers_ && targets.is_string()) fields.fail("layers_to_transform", "null beside a target_modules of one text");
  check_layers_pattern(fields);
}

double LoraConfig::scaling() const {
  const auto rank = static_cast<double>(rank_);
  return alpha_ / (use_rslora_ ? std::sqrt(rank) : rank);
}

bool LoraConfig::is_in_layers(const std::string& key) const {
  const std::string list = "layers.";
  const std::size_t at = key.find(list);
  if (at == std::string::npos) return false;
  std::int64_t layer = 0;
  std::size_t end = at + list.size();
  for (; end < key.size() && std::isdigit(static_cast<unsigned char>(key[end])) != 0 && layer <= kMaxLayer; ++end)
    layer = layer * 10 + (key[end] - '0');
  return end > at + list.size() && layers_->count(layer) != 0;
}

LoraConfig::Selection LoraConfig::selects(const std::string& key) const {
  if (any_matches(excluded_names_, key)) return Selection::No;
  if (targets_ == Targets::Expression) return Selection::Unknown;
  const bool is_target = targets_ == Targets::AllLinear || any_matches(target_names_, key);
  if (!is_target || (layers_ && !is_in_layers(key))) return Selection::No;
  return excludes_by_expression_ ? Selection::Unknown : Selection::Yes;
}

}  // namespace brain3d::weights
