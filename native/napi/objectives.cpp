#include "napi/objectives.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "napi/convert.h"
#include "train/grounding.h"
#include "train/report_objective.h"

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

/// Types: NativeContrastiveObjective of lib/native/surface.ts.
ObjectivePtr to_contrastive(const Options& options, const train::TrainableModel& model, Held& held) {
  const std::int64_t width = model.language().spec().hidden_size;
  train::GroundingBatch batch{to_texts(options.value("volumes"), "volumes"),
                              to_matrix(options.value("texts"), width, "texts", held), options.integers("textIds")};
  train::GroundingOptions out;
  out.micro_batch = options.integer("microBatch");
  out.temperature = options.number("temperature");
  out.visual_embedding = to_choice(options, "visualEmbedding", "inference", "peer") == "peer"
                             ? train::VisualEmbedding::Peer
                             : train::VisualEmbedding::Inference;
  out.recompute = options.boolean("recompute");
  return std::make_shared<train::GroundingObjective>(std::move(batch), out);
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

/// Types: NativeReportObjective of lib/native/surface.ts.
ObjectivePtr to_report(const Options& options, const train::TrainableModel& model, Held& held) {
  auto samples = to_report_samples(options.value("samples"), model.encoder().config().hidden_size, held);
  train::ReportOptions out;
  const Napi::Array parts = to_list(options.value("microBatches"), "microBatches");
  for (std::uint32_t i = 0; i < parts.Length(); ++i) {
    const auto indices = to_integers(parts.Get(i), "microBatches");
    out.micro_batches.emplace_back(indices.begin(), indices.end());  // a negative index is one no list has
  }
  out.loss_mean = to_choice(options, "lossMean", "tokens", "samples") == "tokens" ? train::LossMean::Tokens
                                                                                  : train::LossMean::Samples;
  out.logit_rows = options.integer("logitRows");
  if (out.logit_rows < 1) throw Napi::RangeError::New(options.env(), "expected logitRows >= 1");
  out.recompute = options.boolean("recompute");
  return std::make_shared<train::ReportObjective>(std::move(samples), std::move(out));
}

using Reader = ObjectivePtr (*)(const Options&, const train::TrainableModel&, Held&);

/// Every objective: a new one is a file in native/train, its reader above and its name here.
const std::map<std::string, Reader> kReaders{{"contrastive", to_contrastive}, {"report", to_report}};

}  // namespace

ObjectivePtr to_objective(const Napi::Value& value, const train::TrainableModel& model, Held& held) {
  const Options options(value);
  const std::string name = options.text("name");
  const auto found = kReaders.find(name);
  if (found == kReaders.end()) throw Napi::TypeError::New(value.Env(), concat("unknown objective '", name, "'"));
  return found->second(options, model, held);
}

}  // namespace brain3d::napi
