#include "napi/trainer_convert.h"

#include "base/error.h"
#include "napi/convert.h"

namespace brain3d::napi {

namespace {

std::string to_choice(const Options& options, const char* key, const char* first, const char* second) {
  const std::string value = options.text(key);
  if (value != first && value != second)
    throw Napi::TypeError::New(options.value(key).Env(),
                               concat("expected ", first, " or ", second, " for ", key, ", got '", value, "'"));
  return value;
}

template <typename T>
T to_typed_array(const Napi::Value& value, napi_typedarray_type type, const char* expected, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    throw Napi::TypeError::New(value.Env(), concat("expected ", expected, " for ", name));
  return value.As<T>();
}

/// A view of the array's memory, which `held` keeps until the call settles.
at::Tensor to_matrix(const Napi::Value& value, std::int64_t columns, const char* name, Held& held) {
  auto array = to_typed_array<Napi::Float32Array>(value, napi_float32_array, "a Float32Array", name);
  const auto size = static_cast<std::int64_t>(array.ElementLength());
  if (size == 0 || size % columns != 0)
    throw Napi::RangeError::New(value.Env(), concat("expected rows of ", columns, " numbers for ", name));
  held.add(value);
  return at::from_blob(array.Data(), {size / columns, columns}, at::kFloat);
}

Napi::Value float_array(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array out = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

}  // namespace

train::GroundingBatch to_grounding_batch(const Napi::Value& value, std::int64_t width, Held& held) {
  const Options batch(value);
  return {to_texts(batch.value("volumes"), "volumes"), to_matrix(batch.value("texts"), width, "texts", held),
          batch.integers("textIds")};
}

train::GroundingOptions to_grounding_options(const Napi::Value& value) {
  const Options options(value);
  train::GroundingOptions out;
  out.micro_batch = options.integer("microBatch");
  out.temperature = options.number("temperature");
  out.visual_embedding = to_choice(options, "visualEmbedding", "inference", "peer") == "peer"
                             ? train::VisualEmbedding::Peer
                             : train::VisualEmbedding::Inference;
  out.recompute = options.boolean("recompute");
  return out;
}

std::vector<train::ReportSample> to_report_samples(const Napi::Value& value, std::int64_t width, Held& held) {
  const Napi::Array list = to_list(value, "samples");
  std::vector<train::ReportSample> out;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const Options sample(list.Get(i));
    auto ids = to_typed_array<Napi::Int32Array>(sample.value("ids"), napi_int32_array, "an Int32Array", "ids");
    const std::int64_t begin = sample.integer("labelsBegin");
    if (begin < 0) throw Napi::RangeError::New(value.Env(), "expected labelsBegin >= 0");
    out.push_back({to_matrix(sample.value("pooled"), width, "pooled", held),
                   {ids.Data(), ids.Data() + ids.ElementLength()},
                   static_cast<std::size_t>(begin)});
  }
  return out;
}

train::ReportOptions to_report_options(const Napi::Value& value) {
  const Options options(value);
  train::ReportOptions out;
  const Napi::Array parts = to_list(options.value("microBatches"), "microBatches");
  for (std::uint32_t i = 0; i < parts.Length(); ++i) {
    const auto indices = to_integers(parts.Get(i), "microBatches");
    out.micro_batches.emplace_back(indices.begin(), indices.end());  // a negative index is one no list has
  }
  out.loss_mean = to_choice(options, "lossMean", "tokens", "samples") == "tokens" ? train::LossMean::Tokens
                                                                                  : train::LossMean::Samples;
  out.logit_rows = options.integer("logitRows");
  if (out.logit_rows < 1) throw Napi::RangeError::New(value.Env(), "expected logitRows >= 1");
  out.recompute = options.boolean("recompute");
  return out;
}

train::Update to_update(const Napi::Value& value) {
  const Options options(value);
  train::Update out;
  const Napi::Value rates = options.value("learningRates");
  const Options by_group(rates);
  const Napi::Array names = rates.As<Napi::Object>().GetPropertyNames();
  for (std::uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = to_text(names.Get(i), "learningRates");
    out.learning_rates[train::parse_group(name)] = by_group.number(name.c_str());
  }
  out.max_grad_norm = options.number("maxGradNorm");
  out.seed = static_cast<std::uint64_t>(options.integer("seed"));
  return out;
}

Napi::Object objective_object(Napi::Env env, const train::Objective& objective) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("loss", objective.loss);
  out.Set("sampleLosses", float_array(env, objective.sample_losses));
  out.Set("numLabels", static_cast<double>(objective.num_labels));
  return out;
}

Napi::Value step_object(Napi::Env env, train::StepResult& result) {
  Napi::Object out = objective_object(env, result.objective);
  out.Set("numTokens", static_cast<double>(result.objective.num_tokens));
  out.Set("gradNorm", result.grad_norm);
  out.Set("visScale", result.vis_scale);
  out.Set("peakDeviceBytes", static_cast<double>(result.peak_device_bytes));
  out.Set("nonFinite", env.Null());
  if (result.non_finite) {
    Napi::Object found = Napi::Object::New(env);
    found.Set("tensor", result.non_finite->tensor);
    std::vector<double> samples(result.non_finite->samples.begin(), result.non_finite->samples.end());
    found.Set("samples", to_array(env, samples));
    out.Set("nonFinite", found);
  }
  return out;
}

std::optional<weights::LoraSpec> to_lora_spec(const Napi::Value& value) {
  if (value.IsNull()) return {};
  const Options options(value);
  weights::LoraSpec out;
  out.rank = options.integer("rank");
  out.alpha = options.number("alpha");
  out.target_modules = to_texts(options.value("targetModules"), "targetModules");
  out.seed = static_cast<std::uint64_t>(options.integer("seed"));
  if (out.rank < 1) throw Napi::RangeError::New(value.Env(), "expected rank >= 1");
  return out;
}

}  // namespace brain3d::napi
