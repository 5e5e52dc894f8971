// Adapters as PEFT writes them: which are W + scaling * B A over the untouched base, which modules they are for, and a
// refusal of every other. Fixtures of tools/reference/adapter_configs.py.
#include <cmath>
#include <limits>

#include "base/error.h"
#include "io/json.h"
#include "models/language/decoder.h"
#include "models/language/family.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::models;
using namespace brain3d::test;
using io::Json;
using Selection = weights::LoraConfig::Selection;

namespace {

const Json& fixture() {
  static const Json json = io::read_json(golden_path("adapter_configs.json"));
  return json;
}

weights::LoraConfig read(const Json& config) {
  const TemporaryDirectory dir;
  write_text(dir.path() + "/adapter_config.json", config.dump());
  return weights::LoraConfig::read(dir.path());
}

/// PEFT's own configuration of q, k, v and o with `field` set.
Json with(const char* field, const Json& value) {
  Json config = fixture().at("selections").at(0).at("config");
  config[field] = value;
  return config;
}

void refused(const Json& config, const char* field, ErrorCode code = ErrorCode::Unsupported) {
  CAPTURE(field);
  CAPTURE(config.at(field).dump());
  try {
    read(config);
    FAIL_CHECK("the configuration was read");
  } catch (const Error& error) {
    CHECK(error.code() == code);
    CHECK(error.detail().field == field);
    CHECK(std::string(error.what()).find(field) != std::string::npos);
  }
}

weights::LinearModules modules() {
  return Decoder::linear_modules(read_decoder_spec(golden_path("models/gemma_text")));
}
std::string key_of(const std::string& module) { return "model." + module.substr(std::string("text.").size()); }

/// Small adapters in files: tensors by stored name, filled so that A B is not 0.
using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

void write_adapter(const std::string& dir, const Json& config, const Shapes& shapes, float value = 0.5F) {
  write_text(dir + "/adapter_config.json", config.dump());
  std::vector<at::Tensor> held;
  std::vector<io::TensorToWrite> records;
  for (const auto& [name, shape] : shapes) {
    held.push_back(at::full(shape, value, at::kFloat));
    records.push_back({name, io::DType::F32, shape, held.back().const_data_ptr()});
  }
  io::write_safetensors(dir + "/adapter_model.safetensors", records);
}

/// A and B of rank 4 for each key.
Shapes pairs(const std::vector<std::string>& keys, const std::string& prefix = "base_model.model.") {
  Shapes shapes;
  const auto all = modules();
  for (const std::string& key : keys) {
    const auto [out, in] = all.at("text." + key.substr(key.find("layers.")));
    shapes.push_back({prefix + key + ".lora_A.weight", {4, in}});
    shapes.push_back({prefix + key + ".lora_B.weight", {out, 4}});
  }
  return shapes;
}

weights::LoraAdapter load(const Json& config, const Shapes& shapes, float value = 0.5F) {
  const TemporaryDirectory dir;
  write_adapter(dir.path(), config, shapes, value);
  weights::LoraAdapter adapter = weights::LoraAdapter::read(dir.path());
  adapter.check_against(modules());
  return adapter;
}

void refused(const Json& config, const Shapes& shapes, const char* message, float value = 0.5F) {
  try {
    load(config, shapes, value);
    FAIL_CHECK("the adapter was read");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::Weights);
    CHECK(std::string(error.what()).find(message) != std::string::npos);
  }
}

std::vector<std::string> adapted(const Json& item) {
  std::vector<std::string> keys;
  for (const Json& key : item.at("adapted")) keys.push_back(key.get<std::string>());
  return keys;
}

}  // namespace

TEST_CASE("the modules and the scale of an adapter are PEFT's") {
  for (const Json& item : fixture().at("selections")) {
    CAPTURE(item.at("title").dump());
    const weights::LoraConfig config = read(item.at("config"));
    CHECK(config.scaling() == doctest::Approx(item.at("scaling").get<double>()).epsilon(1e-12));
    const auto keys = adapted(item);
    CHECK(!keys.empty());
    std::size_t num_unknown = 0;
    for (const auto& [module, shape] : modules()) {
      const std::string key = key_of(module);
      CAPTURE(key);
      const bool is_adapted = std::find(keys.begin(), keys.end(), key) != keys.end();
      const Selection selection = config.selects(key);
      if (selection == Selection::Unknown) {
        ++num_unknown;
      } else {
        CHECK(selection == (is_adapted ? Selection::Yes : Selection::No));
      }
    }
    const bool has_expression = item.at("title").get<std::string>().find("expression") != std::string::npos;
    CHECK((num_unknown > 0) == has_expression);
    // And what PEFT saves for them is read whole.
    CHECK(load(item.at("config"), pairs(keys)).layers().size() == keys.size());
  }
}

TEST_CASE("an adapter whose initialisation moved the base is refused, and every other read") {
  int num_moved = 0;
  for (const Json& item : fixture().at("initialisations")) {
    if (item.at("is_sum").get<bool>()) {
      CHECK(read(item.at("config")).rank() == 4);
    } else {
      ++num_moved;
      refused(item.at("config"), "init_lora_weights");
    }
  }
  CHECK(num_moved == 3);
  for (const char* name :
       {"PiSSA", "pissa_niter_16", "corda", "CorDA", "loftq", "lora_ga", "OLoRA", "EVA", "", "zeros"})
    refused(with("init_lora_weights", name), "init_lora_weights");
  for (const Json& value : {Json(1), Json(0), Json::array(), Json::object()})
    refused(with("init_lora_weights", value), "init_lora_weights");
  for (const Json& value : {Json("Gaussian"), Json(nullptr), Json("eva")})
    CHECK_NOTHROW(read(with("init_lora_weights", value)));
}

TEST_CASE("a field that changes what an adapter computes is refused by its name") {
  const Json empty = Json::object(), list = Json::array();
  const std::vector<std::pair<const char*, std::vector<Json>>> rows = {
      {"alora_invocation_tokens", {list, {1, 2}}},
      {"alpha_pattern", {{{"q_proj", 8}}}},
      {"arrow_config", {empty, {{"top_k", 2}}}},
      {"bias", {"all", "lora_only", true}},
      {"fan_in_fan_out", {true, 1}},
      {"kasa_config", {empty}},
      {"layer_replication", {{{0, 2}}}},
      {"layers_pattern", {"blocks", Json::array({"layers", "h"})}},
      {"lora_bias", {true, "true"}},
      {"megatron_config", {empty}},
      {"modules_to_save", {{"lm_head"}, "embed_tokens"}},
      {"monteclora_config", {empty}},
      {"peft_type", {"ADALORA", "lora", "IA3"}},
      {"rank_pattern", {{{"q_proj", 8}}}},
      {"target_parameters", {{"experts.down_proj"}}},
      {"trainable_token_indices", {list, {5}}},
      {"use_bdlora", {empty, true}},
      {"use_dora", {true, 1, "yes"}},
      {"use_qalora", {true}},
      {"velora_config", {empty}},
      {"a_field_of_tomorrow", {true, 1, "on", empty, list, 0}},
  };
  for (const auto& [field, values] : rows)
    for (const Json& value : values) refused(with(field, value), field);
}

TEST_CASE("absent, null and empty mean what PEFT takes them for") {
  const Json full = with("r", 4);
  const std::set<std::string> needed = {"peft_type", "r", "lora_alpha", "target_modules"};
  for (const auto& [field, value] : full.items()) {
    CAPTURE(field);
    Json without = full, null = full;
    without.erase(field);
    null[field] = nullptr;
    for (const Json& config : {without, null}) {
      if (needed.count(field) != 0) {
        CHECK_THROWS_AS(read(config), Error);
      } else {
        CHECK(read(config).selects("model.layers.0.self_attn.q_proj") == Selection::Yes);
      }
    }
  }
  for (const char* field : {"alpha_pattern", "rank_pattern", "loftq_config"})
    CHECK_NOTHROW(read(with(field, Json::object())));
  for (const char* field : {"exclude_modules", "layer_replication", "layers_pattern", "layers_to_transform",
                            "modules_to_save", "target_parameters"})
    CHECK_NOTHROW(read(with(field, Json::array())));
  CHECK_NOTHROW(read(with("exclude_modules", "")));
  CHECK_NOTHROW(read(with("a_field_of_tomorrow", nullptr)));
  CHECK_NOTHROW(read(with("a_field_of_tomorrow", false)));
  CHECK(read(with("target_modules", Json::array())).selects("model.layers.0.self_attn.q_proj") == Selection::No);
}

TEST_CASE("a scale that float32 does not hold is refused") {
  for (const double alpha : {1e40, 1e300, 1e-39, 1e-300})
    refused(with("lora_alpha", alpha), "lora_alpha", ErrorCode::Config);
  for (const Json& alpha : {Json(0), Json(-1), Json("8"), Json(true)})
    refused(with("lora_alpha", alpha), "lora_alpha", ErrorCode::Config);
  refused(with("layers_to_transform", -1), "layers_to_transform", ErrorCode::Config);
  refused(with("layers_to_transform", {{"a", 1}}), "layers_to_transform", ErrorCode::Config);
}

TEST_CASE("a product of A and B beyond float32 is refused by its module") {
  const Json config = fixture().at("selections").at(2).at("config");
  const auto keys = adapted(fixture().at("selections").at(2));
  refused(config, pairs(keys), "exceeds float32", 1e25F);
}

TEST_CASE("two names for one tensor are refused, whichever they are") {
  const Json& item = fixture().at("selections").at(2);
  const Json config = item.at("config");
  const auto keys = adapted(item);
  const std::string key = keys.front(), inner = key.substr(key.find("layers."));
  for (const std::string& second :
       {key, "base_model.model.model.language_model." + inner, "base_model.model.language_model.model." + inner,
        "language_model.model." + inner, "model.language_model." + inner}) {
    CAPTURE(second);
    for (const char* half : {".lora_A.weight", ".lora_B.weight"}) {
      Shapes shapes = pairs(keys);
      for (const auto& [name, shape] : pairs({key}))
        if (name.ends_with(half)) shapes.emplace_back(second + half, shape);
      refused(config, shapes, "is a second name for");
    }
  }
  Shapes in_memory = pairs(keys);
  in_memory.push_back({"base_model.model." + key + ".lora_A.default.weight", {4, 32}});
  refused(config, in_memory, "is no lora_A or lora_B weight");
}

TEST_CASE("halves and layers named as in two classes of model are refused: PEFT would load one of them only") {
  const Json& item = fixture().at("selections").at(2);
  const auto keys = adapted(item);
  Shapes halves = pairs(keys);
  halves[0].first = "base_model.model.model.language_model." + keys[0].substr(6) + ".lora_A.weight";
  refused(item.at("config"), halves, "named otherwise than its lora_A");
  Shapes layers = pairs({keys.begin() + 1, keys.end()});
  for (const auto& pair : pairs({keys.front()}, "")) {
    const std::string name = "base_model.model.model.language_model." + pair.first.substr(6);
    layers.emplace_back(name, pair.second);
  }
  refused(item.at("config"), layers, "another class of model");
}

TEST_CASE("what a configuration selects and what the weights hold must be the same modules") {
  for (const Json& item : fixture().at("selections")) {
    CAPTURE(item.at("title").dump());
    auto keys = adapted(item);
    if (read(item.at("config")).selects(keys.back()) != Selection::Yes) continue;
    const std::string last = keys.back();
    keys.pop_back();
    if (!keys.empty()) refused(item.at("config"), pairs(keys), "is missing, though adapter_config.json targets it");
    keys.push_back(last);
    for (const auto& [module, shape] : modules())
      if (std::find(keys.begin(), keys.end(), key_of(module)) == keys.end()) {
        keys.push_back(key_of(module));
        refused(item.at("config"), pairs(keys), "does not select");
        break;
      }
  }
}
