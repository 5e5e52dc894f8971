// config.json of every kind of model: what is read, and each refusal by its field. Without torch, so that the readers
// run under the sanitizers of test/fuzz as well; those of whole files by number are in
// test/integration/hostile-config.test.ts.
#include <string>

#include "io/io_test_support.h"
#include "io/json.h"
#include "models/language/family.h"
#include "models/language/gemma3.h"
#include "models/text/roberta_config.h"
#include "models/vision/siglip_config.h"

using namespace brain3d;
using namespace brain3d::models;
using io::Json;
using io::test::check_refused;
using io::test::TempDir;

namespace {

/// `json` with the field at `pointer` set.
Json with(Json json, const char* pointer, const Json& value) {
  json[Json::json_pointer(pointer)] = value;
  return json;
}

template <typename Config>
Config read(const Json& json) {
  const TempDir dir;
  dir.write("config.json", json.dump());
  if constexpr (std::is_same_v<Config, DecoderSpec>)
    return read_decoder_spec(dir.path());
  else
    return Config::read(dir.path());
}

template <typename Config>
void refused(const Json& json, const char* field, std::string_view part, ErrorCode code = ErrorCode::Config) {
  check_refused([&] { read<Config>(json); }, code, part, field);
}

const LayerKind& global(const DecoderSpec& spec) { return spec.kinds[kGemma3Global]; }

const Json kGemma = {{"model_type", "gemma3_text"}, {"num_hidden_layers", 3}};
const Json kQwen = {{"model_type", "qwen2"}, {"num_hidden_layers", 3}};
const Json kSiglip = {{"model_type", "siglip_vision_model"}};
const Json kRoberta = {{"model_type", "roberta"}};

TEST_CASE("config.json of Gemma 3: both spellings of the rotary embedding and of the layers' kinds") {
  const auto defaults = read<DecoderSpec>(kGemma);
  CHECK(defaults.layer_kinds == std::vector<std::size_t>{kGemma3Local, kGemma3Local, kGemma3Local});
  CHECK(global(defaults).rope_factor == 1);
  CHECK(defaults.module_prefix == "model.");

  const Json linear = {{"rope_type", "linear"}, {"factor", 8}, {"rope_theta", 5}};
  const Json plain = {{"rope_theta", 7}};
  const auto by_kind =
      read<DecoderSpec>(with(kGemma, "/rope_parameters", {{"full_attention", linear}, {"sliding_attention", plain}}));
  CHECK(global(by_kind).rope_theta == 5);
  CHECK(global(by_kind).rope_factor == 8);
  CHECK(by_kind.kinds[kGemma3Local].rope_theta == 7);
  CHECK(global(read<DecoderSpec>(with(kGemma, "/rope_parameters", Json::object()))).rope_factor == 1);

  CHECK(global(read<DecoderSpec>(with(kGemma, "/rope_scaling", linear))).rope_factor == 8);
  CHECK(global(read<DecoderSpec>(with(kGemma, "/rope_scaling", {{"type", "linear"}, {"factor", 3}}))).rope_factor == 3);
  CHECK(global(read<DecoderSpec>(with(kGemma, "/rope_scaling", {{"type", "default"}}))).rope_factor == 1);

  for (const char* key : {"/_sliding_window_pattern", "/sliding_window_pattern"}) {
    CHECK(read<DecoderSpec>(with(kGemma, key, 2)).layer_kinds ==
          std::vector<std::size_t>{kGemma3Local, kGemma3Global, kGemma3Local});
  }
  const Json kinds = {"full_attention", "sliding_attention", "full_attention"};
  CHECK(read<DecoderSpec>(with(kGemma, "/layer_types", kinds)).layer_kinds ==
        std::vector<std::size_t>{kGemma3Global, kGemma3Local, kGemma3Global});

  const Json multimodal = {{"model_type", "gemma3"}, {"text_config", kGemma}, {"tie_word_embeddings", false}};
  const auto nested = read<DecoderSpec>(multimodal);
  CHECK(nested.module_prefix == "model.language_model.");
  CHECK_FALSE(nested.tie_word_embeddings);
}

TEST_CASE("config.json of Gemma 3: every refusal by its field") {
  const auto gemma = [](const char* pointer, const Json& value, const char* field, std::string_view part) {
    refused<DecoderSpec>(with(kGemma, pointer, value), field, part);
  };
  gemma("/model_type", "llama", "model_type", "(a language backbone)");
  gemma("/model_type", 3, "model_type", "expected a string");
  gemma("/num_key_value_heads", 3, "num_key_value_heads", "a divisor of num_attention_heads");
  gemma("/head_dim", 7, "head_dim", "an even number");
  gemma("/hidden_activation", "gelu", "hidden_activation", "gelu_pytorch_tanh");
  gemma("/attention_bias", true, "attention_bias", "expected false");
  gemma("/attention_bias", "no", "attention_bias", "true or false");
  gemma("/attn_logit_softcapping", 50, "attn_logit_softcapping", "no soft-capping");
  gemma("/final_logit_softcapping", 30, "final_logit_softcapping", "no soft-capping");
  gemma("/use_bidirectional_attention", true, "use_bidirectional_attention", "expected false");
  gemma("/rms_norm_eps", 0, "rms_norm_eps", "a number > 0");
  gemma("/rms_norm_eps", "1e-6", "rms_norm_eps", "a number > 0");
  gemma("/rope_parameters", 1, "rope_parameters", "an object");
  gemma("/rope_parameters", {{"full_attention", {{"rope_type", "yarn"}}}}, "rope_type", "default or linear");
  gemma("/rope_parameters", {{"full_attention", {{"rope_type", "linear"}}}}, "factor", "got nothing");
  // The local layers' embedding is never stretched.
  gemma("/rope_parameters", {{"sliding_attention", {{"rope_type", "linear"}, {"factor", 8}}}}, "rope_type",
        "expected default");
  gemma("/rope_scaling", {{"rope_type", "dynamic"}}, "rope_type", "default or linear");
  gemma("/rope_scaling", {{"type", "linear"}, {"factor", -1}}, "factor", "a number > 0");
  gemma("/sliding_window_pattern", 0, "sliding_window_pattern", "from 1");
  gemma("/layer_types", "full_attention", "layer_types", "a list of 3");
  gemma("/layer_types", {"full_attention"}, "layer_types", "a list of 3");
  gemma("/layer_types", {"full_attention", "full_attention", "linear"}, "layer_types", "for each layer");
  gemma("/layer_types", {"full_attention", "full_attention", 3}, "layer_types", "for each layer");
  refused<DecoderSpec>(with(kGemma, "/quantization_config", {{"bits", 4}}), "quantization_config", "unquantised",
                       ErrorCode::Unsupported);
  refused<DecoderSpec>({{"model_type", "gemma3"}}, "text_config", "expected an object");
  refused<DecoderSpec>({{"model_type", "gemma3"}, {"text_config", {1}}}, "text_config", "expected an object");
  refused<DecoderSpec>(Json::array(), "", "expected a JSON object, got array");
}

TEST_CASE("config.json of Qwen 2.5: the library's defaults, rotary embedding and window") {
  const auto defaults = read<DecoderSpec>(kQwen);
  CHECK(defaults.vocab_size == 151936);
  CHECK(defaults.hidden_size == 4096);
  CHECK(defaults.num_key_value_heads == 32);
  CHECK(defaults.head_dim == 128);
  CHECK(defaults.attention_scale == doctest::Approx(0.08838834764831845));
  CHECK(defaults.kinds.size() == 1);
  CHECK(defaults.kinds[0].rope_theta == 1e4);
  CHECK(defaults.layer_kinds == std::vector<std::size_t>{0, 0, 0});
  CHECK_FALSE(defaults.tie_word_embeddings);
  CHECK(defaults.has_qkv_bias);
  CHECK_FALSE(defaults.has_qk_norms);
  CHECK(defaults.norm_offset == 0);
  CHECK(defaults.embedding_scale == 1);
  CHECK(defaults.activation == nn::Activation::Silu);
  // Null, unlike no such field, is a pair for each query head.
  CHECK(read<DecoderSpec>(with(with(kQwen, "/num_attention_heads", 16), "/num_key_value_heads", nullptr))
            .num_key_value_heads == 16);

  CHECK(read<DecoderSpec>(with(kQwen, "/rope_theta", 1e6)).kinds[0].rope_theta == 1e6);
  const Json linear = {{"rope_type", "linear"}, {"factor", 4}};
  const auto scaled = read<DecoderSpec>(with(with(kQwen, "/rope_theta", 7), "/rope_scaling", linear));
  CHECK(scaled.kinds[0].rope_theta == 7);
  CHECK(scaled.kinds[0].rope_factor == 4);
  const Json parameters = {{"rope_type", "default"}, {"rope_theta", 5}};
  CHECK(read<DecoderSpec>(with(kQwen, "/rope_parameters", parameters)).kinds[0].rope_theta == 5);

  // A window that is off is not looked at.
  Json windowed = with(with(kQwen, "/sliding_window", 8), "/max_window_layers", 2);
  CHECK(read<DecoderSpec>(windowed).kinds.size() == 1);
  windowed["use_sliding_window"] = true;
  const auto sliding = read<DecoderSpec>(windowed);
  CHECK(sliding.kinds[1].window == 8);
  CHECK(sliding.layer_kinds == std::vector<std::size_t>{0, 0, 1});
  windowed["layer_types"] = {"sliding_attention", "full_attention", "full_attention"};
  CHECK(read<DecoderSpec>(windowed).layer_kinds == std::vector<std::size_t>{1, 0, 0});
  windowed.erase("layer_types");
  windowed["sliding_window"] = nullptr;
  CHECK(read<DecoderSpec>(windowed).kinds.size() == 1);
}

TEST_CASE("config.json of Qwen 2.5: every refusal by its field") {
  const auto qwen = [](const char* pointer, const Json& value, const char* field, std::string_view part) {
    refused<DecoderSpec>(with(kQwen, pointer, value), field, part);
  };
  qwen("/model_type", "qwen3", "model_type", "expected gemma3, gemma3_text or qwen2 (a language backbone)");
  qwen("/hidden_act", "gelu", "hidden_act", "expected silu");
  qwen("/num_key_value_heads", 3, "num_key_value_heads", "a divisor of num_attention_heads");
  qwen("/num_attention_heads", 96, "num_attention_heads", "a divisor of hidden_size");
  qwen("/head_dim", 7, "head_dim", "an even number");
  qwen("/rope_scaling", {{"type", "yarn"}, {"factor", 4}}, "rope_type", "default or linear");
  qwen("/rope_scaling", {{"rope_type", "dynamic"}, {"factor", 4}}, "rope_type", "default or linear");
  qwen("/rope_scaling", {{"rope_type", "linear"}}, "factor", "got nothing");
  qwen("/rope_parameters", {{"full_attention", {{"rope_theta", 5}}}}, "full_attention", "one rotary embedding");
  qwen("/dual_chunk_attention_config", {{"chunk_size", 8}}, "dual_chunk_attention_config", "does not compute");
  qwen("/partial_rotary_factor", 0.5, "partial_rotary_factor", "does not compute");
  qwen("/layer_types", {"full_attention"}, "layer_types", "a list of 3");
  qwen("/layer_types", {"full_attention", "full_attention", "sliding_attention"}, "layer_types",
       "use_sliding_window is off");
  qwen("/use_sliding_window", 1, "use_sliding_window", "true or false");
  for (const char* field : {"max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings"})
    qwen((std::string("/") + field).c_str(), nullptr, field, "a value, or no such field");
  refused<DecoderSpec>(with(kQwen, "/quantization_config", {{"bits", 4}}), "quantization_config", "unquantised",
                       ErrorCode::Unsupported);
}

TEST_CASE("config.json: integers outside of their range, of another type, and none") {
  const auto width = [](const Json& value) {
    refused<DecoderSpec>(with(kGemma, "/hidden_size", value), "hidden_size", "an integer from 1 to 16777216");
  };
  width(0);
  width(-1);
  width(std::int64_t{1} << 40);
  width(~std::uint64_t{0});
  width((std::int64_t{1} << 24) + 1);
  width(2560.5);
  width("2560");
  width(true);
  CHECK(read<DecoderSpec>(with(kGemma, "/hidden_size", nullptr)).hidden_size == 2304);
  CHECK(read<DecoderSpec>(with(kGemma, "/hidden_size", 1 << 24)).hidden_size == 1 << 24);
  const Json empty = Json::object();
  const weights::JsonFields fields(empty, "config.json: text_config");
  const auto absent = [](const auto& get) { check_refused(get, ErrorCode::Config, "got nothing", "x"); };
  absent([&] { fields.integer("x"); });
  absent([&] { fields.positive("x"); });
  absent([&] { fields.text("x"); });
  absent([&] { fields.object("x"); });
  absent([&] { fields.raw("x"); });
  CHECK(fields.where() == "config.json: text_config");
  check_refused([&] { weights::JsonFields(Json(1), "config.json: text_config"); }, ErrorCode::Config, "got number", "");
}

TEST_CASE("config.json of SigLIP: by itself and inside of others, and every refusal by its field") {
  CHECK(read<SiglipConfig>(kSiglip).hidden_size == SiglipConfig().hidden_size);
  for (const char* type : {"siglip", "gemma3"}) {
    const Json json = {{"model_type", type}, {"vision_config", {{"image_size", 56}}}};
    CHECK(read<SiglipConfig>(json).image_size == 56);
  }
  const auto siglip = [](const char* pointer, const Json& value, const char* field, std::string_view part) {
    refused<SiglipConfig>(with(kSiglip, pointer, value), field, part);
  };
  siglip("/model_type", "clip", "model_type", "a vision backbone");
  siglip("/model_type", "siglip", "vision_config", "an object");
  siglip("/hidden_act", "gelu", "hidden_act", "gelu_pytorch_tanh");
  siglip("/num_attention_heads", 7, "num_attention_heads", "a divisor of hidden_size");
  siglip("/image_size", 13, "image_size", "at least one patch");
  siglip("/num_channels", 17, "num_channels", "from 1 to 16");
  siglip("/layer_norm_eps", -1, "layer_norm_eps", "a number > 0");
}

TEST_CASE("config.json of RoBERTa: every refusal by its field") {
  CHECK(read<RobertaConfig>(kRoberta).max_tokens() == 510);
  const auto roberta = [](const char* pointer, const Json& value, const char* field, std::string_view part) {
    refused<RobertaConfig>(with(kRoberta, pointer, value), field, part);
  };
  roberta("/model_type", "bert", "model_type", "expected roberta");
  roberta("/hidden_act", "relu", "hidden_act", "expected gelu");
  roberta("/position_embedding_type", "relative_key", "position_embedding_type", "expected absolute");
  roberta("/is_decoder", true, "is_decoder", "an encoder");
  roberta("/add_cross_attention", true, "add_cross_attention", "an encoder");
  roberta("/pad_token_id", 50265, "pad_token_id", "from 0 to 50264");
  roberta("/num_attention_heads", 7, "num_attention_heads", "a divisor of hidden_size");
  roberta("/max_position_embeddings", 3, "max_position_embeddings", "room for two tokens");
}

}  // namespace
