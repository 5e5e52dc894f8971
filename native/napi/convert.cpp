#include "napi/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace brain3d::napi {

namespace {

[[noreturn]] void wrong_type(const Napi::Env& env, const std::string& name, const char* expected) {
  throw Napi::TypeError::New(env, "expected " + std::string(expected) + " for " + name);
}

std::int64_t checked_integer(const Napi::Value& value, const std::string& name) {
  if (!value.IsNumber()) wrong_type(value.Env(), name, "an integer");
  const double number = value.As<Napi::Number>().DoubleValue();
  constexpr double kMaxSafe = 9007199254740991.0;
  if (std::nearbyint(number) != number || std::abs(number) > kMaxSafe) wrong_type(value.Env(), name, "an integer");
  return static_cast<std::int64_t>(number);
}

std::array<std::int64_t, 3> checked_triple(const Options& options, const char* key) {
  const auto values = options.integers(key);
  if (values.size() != 3) wrong_type(options.value(key).Env(), key, "three integers");
  return {values[0], values[1], values[2]};
}

}  // namespace

Options::Options(const Napi::Value& value) {
  if (!value.IsObject()) wrong_type(value.Env(), "the options", "an object");
  object_ = value.As<Napi::Object>();
}

void Options::require_known(const char* what, std::initializer_list<const char*> names) const {
  const Napi::Array keys = object_.GetPropertyNames();
  for (std::uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = keys.Get(i).As<Napi::String>().Utf8Value();
    if (std::find(names.begin(), names.end(), key) == names.end())
      throw Napi::TypeError::New(object_.Env(), concat("unknown ", what, " '", key, "'"));
  }
}

Napi::Value Options::value(const char* key) const { return object_.Get(key); }
std::string Options::text(const char* key) const { return to_text(value(key), key); }
std::int64_t Options::integer(const char* key) const { return checked_integer(value(key), key); }
std::vector<std::int64_t> Options::integers(const char* key) const { return to_integers(value(key), key); }

double Options::number(const char* key) const {
  const Napi::Value found = value(key);
  if (!found.IsNumber()) wrong_type(found.Env(), key, "a number");
  return found.As<Napi::Number>().DoubleValue();
}

bool Options::boolean(const char* key) const {
  const Napi::Value found = value(key);
  if (!found.IsBoolean()) wrong_type(found.Env(), key, "a boolean");
  return found.As<Napi::Boolean>().Value();
}

std::string to_text(const Napi::Value& value, const char* name) {
  if (!value.IsString()) wrong_type(value.Env(), name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Array to_list(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) wrong_type(value.Env(), name, "an array");
  return value.As<Napi::Array>();
}

std::vector<std::string> to_texts(const Napi::Value& value, const char* name) {
  const Napi::Array list = to_list(value, name);
  std::vector<std::string> out;
  for (std::uint32_t i = 0; i < list.Length(); ++i) out.push_back(to_text(list.Get(i), name));
  return out;
}

std::vector<std::int64_t> to_integers(const Napi::Value& value, const char* name) {
  const Napi::Array array = to_list(value, name);
  std::vector<std::int64_t> out;
  for (std::uint32_t i = 0; i < array.Length(); ++i) out.push_back(checked_integer(array.Get(i), name));
  return out;
}

std::vector<double> to_numbers(const Napi::Value& value, const char* name) {
  const Napi::Array array = to_list(value, name);
  std::vector<double> out;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsNumber()) wrong_type(value.Env(), name, "an array of numbers");
    out.push_back(item.As<Napi::Number>().DoubleValue());
  }
  return out;
}

Napi::Float32Array to_float32_array(Napi::Env env, const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kCPU, at::kFloat).contiguous();
  Napi::Float32Array out = Napi::Float32Array::New(env, static_cast<std::size_t>(flat.numel()));
  std::memcpy(out.Data(), flat.const_data_ptr<float>(), out.ByteLength());
  return out;
}

namespace {

/// The value that `key` names; Usage for any other text.
template <typename T>
T choice(const Options& options, const char* key, std::initializer_list<std::pair<const char*, T>> choices) {
  const std::string given = options.text(key);
  std::string known;
  for (const auto& [name, value] : choices) {
    if (given == name) return value;
    known += known.empty() ? name : concat(" or ", name);
  }
  throw Error(ErrorCode::Usage, concat("expected ", key, " ", known, ", got '", given, "'"));
}

}  // namespace

models::PatchEmbeddingStart to_patch_embedding_start(const Options& options) {
  using Start = models::PatchEmbeddingStart;
  return choice<Start>(options, "patchEmbedding", {{"inflated", Start::Inflated}, {"random", Start::Random}});
}

models::Recipe to_recipe(const Napi::Value& value) {
  using models::Attention, models::ChannelCollapse, models::Compression, models::PositionScheme;
  const Options options(value);
  // The name is for people, and the percentiles are preprocessing's.
  options.require_known(
      "field of a recipe",
      {"name", "lowerPercentile", "upperPercentile", "channelCollapse", "position", "attention", "compression",
       "numVisualTokens", "compressionGrid", "depthKernel", "depthStride", "depthPadding", "volumeSize"});
  models::Recipe recipe;
  recipe.channel_collapse = choice<ChannelCollapse>(options, "channelCollapse",
                                                    {{"sum", ChannelCollapse::Sum}, {"mean", ChannelCollapse::Mean}});
  recipe.position =
      choice<PositionScheme>(options, "position",
                             {{"learned_depth_pretrained_spatial", PositionScheme::LearnedDepthPretrainedSpatial},
                              {"pretrained_spatial", PositionScheme::PretrainedSpatial},
                              {"linear", PositionScheme::Linear}});
  recipe.attention =
      choice<Attention>(options, "attention", {{"volume", Attention::Volume}, {"slice", Attention::Slice}});
  recipe.compression =
      choice<Compression>(options, "compression", {{"sequence", Compression::Sequence}, {"grid", Compression::Grid}});
  recipe.num_visual_tokens = options.integer("numVisualTokens");
  recipe.compression_grid = checked_triple(options, "compressionGrid");
  recipe.depth_kernel = options.integer("depthKernel");
  recipe.depth_stride = options.integer("depthStride");
  recipe.depth_padding = options.integer("depthPadding");
  recipe.volume_size = checked_triple(options, "volumeSize");
  B3D_CHECK(recipe.depth_kernel >= 1 && recipe.depth_stride >= 1 && recipe.depth_padding >= 0, Usage,
            "expected depthKernel and depthStride >= 1 and depthPadding >= 0");
  return recipe;
}

}  // namespace brain3d::napi
