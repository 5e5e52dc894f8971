// config.json with fields of two versions of transformers side by side: what the library makes of them (fixture of
// tools/reference/gemma_configs.py), and refusals where they contradict each other.
#include "models/language/gemma3.h"
#include "base/error.h"
#include "io/json.h"
#include "models/language/decoder.h"
#include "models/language/family.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::models;
using namespace brain3d::test;
using io::Json;

namespace {

const Json kText = {{"model_type", "gemma3_text"}, {"num_hidden_layers", 4}};

DecoderSpec read(const Json& json) {
  const TemporaryDirectory dir;
  write_text(dir.path() + "/config.json", json.dump());
  return read_decoder_spec(dir.path());
}

void refused(const Json& change, const char* field) {
  Json json = kText;
  json.update(change);
  CAPTURE(json.dump());
  try {
    read(json);
    FAIL_CHECK("the configuration was read");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::Config);
    CHECK(error.detail().field == field);
  }
}

}  // namespace

TEST_CASE("old and new fields of a configuration side by side are what transformers makes of them") {
  const Json cases = io::read_json(golden_path("gemma_configs.json"));
  CHECK(cases.size() > 15);
  for (const Json& item : cases) {
    CAPTURE(item.at("title").dump());
    const DecoderSpec spec = read(item.at("config"));
    CHECK(spec.kinds[kGemma3Global].rope_theta == item.at("global_theta").get<double>());
    CHECK(spec.kinds[kGemma3Local].rope_theta == item.at("local_theta").get<double>());
    CHECK(spec.kinds[kGemma3Global].rope_factor == item.at("global_factor").get<double>());
    CHECK(spec.tie_word_embeddings == item.at("tie_word_embeddings").get<bool>());
    std::vector<std::size_t> kinds;
    for (const Json& value : item.at("is_sliding")) kinds.push_back(value.get<bool>() ? kGemma3Local : kGemma3Global);
    CHECK(spec.layer_kinds == kinds);
  }
}

TEST_CASE("fields that contradict each other, or that transformers would not look at, are refused") {
  const Json linear = {{"rope_type", "linear"}, {"factor", 8}};
  refused({{"rope_scaling", {{"rope_type", "linear"}, {"type", "default"}, {"factor", 8}}}}, "rope_type");
  refused({{"rope_parameters", {{"full_attention", {{"type", "yarn"}}}}}}, "rope_type");
  refused({{"rope_parameters", linear}}, "rope_type");
  refused({{"rope_parameters", {{"rope_theta", 1e6}}}}, "rope_theta");
  refused({{"rope_parameters", {{"full_attention", linear}}}, {"rope_scaling", {{"rope_type", "yarn"}}}}, "rope_type");
  refused({{"rope_parameters", {{"full_attention", linear}}}, {"rope_scaling", {{"factor", 0}}}}, "factor");
  refused({{"sliding_window_pattern", 2}, {"_sliding_window_pattern", 3}}, "sliding_window_pattern");
  for (const char* field :
       {"sliding_window", "tie_word_embeddings", "rope_theta", "rope_local_base_freq", "rms_norm_eps"})
    refused({{field, nullptr}}, field);
  // The name of older versions within rope_parameters means what it meant.
  Json old = kText;
  old["rope_parameters"] = {{"full_attention", {{"type", "linear"}, {"factor", 8}}}};
  CHECK(read(old).kinds[kGemma3Global].rope_factor == 8);
}

TEST_CASE("a head stored beside the embedding that it is tied to must be the embedding") {
  const c10::InferenceMode inference;
  const std::string golden = golden_path("models/gemma_text");
  const DecoderSpec spec = read_decoder_spec(golden);
  REQUIRE(spec.tie_word_embeddings);
  const io::SafetensorsFile file(golden + "/model.safetensors");
  const auto load_with = [&](const std::string& name, double shift) {
    const TemporaryDirectory dir;
    std::vector<at::Tensor> held;
    std::vector<io::TensorToWrite> records;
    for (const auto& [stored, entry] : file.tensors()) {
      held.push_back(weights::view_of(file, stored, entry).to(at::kFloat));
      records.push_back({stored, io::DType::F32, held.back().sizes().vec(), held.back().const_data_ptr()});
      if (weights::canonical_tensor_name(stored) != "text.embed_tokens.weight") continue;
      at::Tensor head = held.back().clone();
      head[7][3] += shift;
      held.push_back(head);
      records.push_back({name, io::DType::F32, head.sizes().vec(), head.const_data_ptr()});
    }
    io::write_safetensors(dir.path() + "/model.safetensors", records);
    weights::WeightSource source = Decoder::open_backbone(dir.path(), spec);
    return Decoder::load(spec, source, at::TensorOptions().dtype(at::kFloat), nullptr, false).num_parameters();
  };
  const auto parameters = load_with("lm_head.weight", 0);
  CHECK(load_with("language_model.lm_head.weight", 0) == parameters);
  for (const char* name : {"lm_head.weight", "language_model.lm_head.weight"})
    CHECK_THROWS_WITH_AS(load_with(name, 1), doctest::Contains("to equal the embedding"), Error);
}
