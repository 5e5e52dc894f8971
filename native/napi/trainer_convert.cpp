#include "napi/trainer_convert.h"

#include "base/error.h"
#include "napi/convert.h"

namespace brain3d::napi {

namespace {

Napi::Value float_array(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array out = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

}  // namespace

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

Napi::Object losses_object(Napi::Env env, const train::Losses& losses) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("loss", losses.loss);
  out.Set("sampleLosses", float_array(env, losses.sample_losses));
  out.Set("numLabels", static_cast<double>(losses.num_labels));
  return out;
}

Napi::Value step_object(Napi::Env env, train::StepResult& result) {
  Napi::Object out = losses_object(env, result.losses);
  out.Set("numTokens", static_cast<double>(result.losses.num_tokens));
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
