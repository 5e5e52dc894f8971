// A model that is being trained: one step per call.
#include <variant>

#include "core/cpu_allocator.h"
#include "core/dtype.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/js_callback.h"
#include "train/trainer.h"

namespace brain3d::napi {

namespace {

using TrainerPtr = std::shared_ptr<train::Trainer>;

/// What JavaScript holds of a trainer. `dispose` empties it; a call in flight has its own share and finishes.
struct TrainerHandle {
  TrainerPtr trainer;

  TrainerPtr get() const {
    B3D_CHECK(trainer != nullptr, Disposed, "the trainer was disposed; make a new one");
    return trainer;
  }
};

}  // namespace

template <>
struct HandleTraits<TrainerHandle> {
  static constexpr const char* name = "Trainer";
  static constexpr napi_type_tag tag{0x1be04cd9732f58a6, 0x94d30a6fc1e7852b};
};

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

std::vector<std::string> to_texts(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), concat("expected an array for ", name));
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> out;
  for (std::uint32_t i = 0; i < array.Length(); ++i) out.push_back(to_text(array.Get(i), name));
  return out;
}

Napi::Array to_list(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), concat("expected an array for ", name));
  return value.As<Napi::Array>();
}

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

Napi::Value float_array(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array out = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
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

Napi::Value info(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const TrainerPtr trainer = handle->get();
    const train::TrainableModel& model = trainer->model();
    Napi::Array parameters = Napi::Array::New(call.Env());
    for (const train::Parameter& parameter : model.parameters()) {
      Napi::Object item = Napi::Object::New(call.Env());
      item.Set("name", parameter.name);
      item.Set("group", train::group_name(parameter.group));
      item.Set("shape", to_array(call.Env(), parameter.value.sizes().vec()));
      item.Set("decays", parameter.decays);
      parameters.Set(parameters.Length(), item);
    }
    const models::Gemma3Config& language = model.language().config();
    Napi::Object out = Napi::Object::New(call.Env());
    out.Set("device", model.device().str());
    out.Set("dtype", dtype_name(model.dtype()));
    out.Set("parameters", parameters);
    out.Set("visionWidth", static_cast<double>(model.encoder().config().hidden_size));
    out.Set("languageWidth", static_cast<double>(language.hidden_size));
    out.Set("numVisualTokens", static_cast<double>(model.num_visual_tokens()));
    out.Set("numPatchTokens", static_cast<double>(model.num_patch_tokens()));
    out.Set("vocabSize", static_cast<double>(language.vocab_size));
    out.Set("maxPositions", static_cast<double>(language.max_position_embeddings));
    out.Set("warnings", to_array(call.Env(), model.warnings()));
    return out;
  });
}

/// Queues `work(trainer, cancel)` on the compute executor.
template <typename T>
Napi::Value run(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call, const Napi::Value& token,
                std::shared_ptr<Held> held, std::function<T(train::Trainer&, const CancelFlag&)> work,
                std::function<Napi::Value(Napi::Env, T&)> convert) {
  const TrainerPtr trainer = handle->get();
  const auto cancel = get_handle<CancelFlag>(token);
  return run_async<T>(
      call.Env(), AddonData::of(call.Env()).compute(), cancel, std::move(held),
      [trainer, cancel, work] { return work(*trainer, *cancel); }, std::move(convert));
}

std::int64_t language_width(const train::Trainer& trainer) { return trainer.model().language().config().hidden_size; }
std::int64_t vision_width(const train::Trainer& trainer) { return trainer.model().encoder().config().hidden_size; }

Napi::Value tensor_value(Napi::Env env, at::Tensor& tensor) { return to_float32_array(env, tensor); }
Napi::Value nothing(Napi::Env env, std::monostate&) { return env.Undefined(); }
Napi::Value objective_value(Napi::Env env, train::Objective& objective) { return objective_object(env, objective); }

Napi::Value encode_pooled(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    const std::string file = to_text(call[0], "volumeFile");
    return run<at::Tensor>(
        handle, call, call[1], std::make_shared<Held>(),
        [file](train::Trainer& trainer, const CancelFlag& cancel) { return trainer.encode_pooled(file, cancel); },
        tensor_value);
  });
}

Napi::Value embed_texts(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    const Napi::Array list = to_list(call[0], "texts");
    std::vector<std::vector<std::int64_t>> texts;
    for (std::uint32_t i = 0; i < list.Length(); ++i) texts.push_back(to_integers(list.Get(i), "texts"));
    return run<at::Tensor>(
        handle, call, call[1], std::make_shared<Held>(),
        [texts](train::Trainer& trainer, const CancelFlag& cancel) {
          return train::embed_texts(trainer.model(), texts, cancel);
        },
        tensor_value);
  });
}

Napi::Value grounding_step(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    auto held = std::make_shared<Held>();
    const auto batch = to_grounding_batch(call[0], language_width(*handle->get()), *held);
    const auto options = to_grounding_options(call[1]);
    const auto update = to_update(call[2]);
    return run<train::StepResult>(
        handle, call, call[3], held,
        [batch, options, update](train::Trainer& trainer, const CancelFlag& cancel) {
          return trainer.grounding_step(batch, options, update, cancel);
        },
        step_object);
  });
}

Napi::Value report_step(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    auto held = std::make_shared<Held>();
    const auto samples = to_report_samples(call[0], vision_width(*handle->get()), *held);
    const auto options = to_report_options(call[1]);
    const auto update = to_update(call[2]);
    return run<train::StepResult>(
        handle, call, call[3], held,
        [samples, options, update](train::Trainer& trainer, const CancelFlag& cancel) {
          return trainer.report_step(samples, options, update, cancel);
        },
        step_object);
  });
}

Napi::Value grounding_loss(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    auto held = std::make_shared<Held>();
    const auto batch = to_grounding_batch(call[0], language_width(*handle->get()), *held);
    const auto options = to_grounding_options(call[1]);
    return run<train::Objective>(
        handle, call, call[2], held,
        [batch, options](train::Trainer& trainer, const CancelFlag& cancel) {
          return trainer.grounding_loss(batch, options, cancel);
        },
        objective_value);
  });
}

Napi::Value report_loss(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    auto held = std::make_shared<Held>();
    const auto samples = to_report_samples(call[0], vision_width(*handle->get()), *held);
    const auto options = to_report_options(call[1]);
    return run<train::Objective>(
        handle, call, call[2], held,
        [samples, options](train::Trainer& trainer, const CancelFlag& cancel) {
          return trainer.report_loss(samples, options, cancel);
        },
        objective_value);
  });
}

/// A method that does something with a file and gives nothing back.
template <void (*use)(train::Trainer&, const std::string&)>
Napi::Value with_file(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    const std::string file = to_text(call[0], "file");
    return run<std::monostate>(
        handle, call, call[1], std::make_shared<Held>(),
        [file](train::Trainer& trainer, const CancelFlag&) {
          use(trainer, file);
          return std::monostate{};
        },
        nothing);
  });
}

void save_state(train::Trainer& trainer, const std::string& file) { trainer.optimizer().save(file); }
void load_state(train::Trainer& trainer, const std::string& file) { trainer.optimizer().load(file); }
void write_weights(train::Trainer& trainer, const std::string& file) { trainer.model().write_weights(file); }
void write_adapter(train::Trainer& trainer, const std::string& file) { trainer.model().write_adapter(file); }

Napi::Value dispose(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  handle->trainer = nullptr;
  release_cached_cpu_memory();
  return call.Env().Undefined();
}

Napi::Object trainer_handle(Napi::Env env, TrainerPtr trainer) {
  const train::TrainableModel& model = trainer->model();
  const std::int64_t count = model.encoder().num_parameters() + model.language().num_parameters();
  const std::int64_t bytes =
      model.device().is_cpu() ? count * static_cast<std::int64_t>(c10::elementSize(model.dtype())) : 0;
  Napi::Object object = make_handle(env, std::make_shared<TrainerHandle>(TrainerHandle{std::move(trainer)}), bytes);
  add_method<TrainerHandle>(object, "info", info);
  add_method<TrainerHandle>(object, "encodePooled", encode_pooled);
  add_method<TrainerHandle>(object, "embedTexts", embed_texts);
  add_method<TrainerHandle>(object, "groundingStep", grounding_step);
  add_method<TrainerHandle>(object, "reportStep", report_step);
  add_method<TrainerHandle>(object, "groundingLoss", grounding_loss);
  add_method<TrainerHandle>(object, "reportLoss", report_loss);
  add_method<TrainerHandle>(object, "saveState", with_file<save_state>);
  add_method<TrainerHandle>(object, "loadState", with_file<load_state>);
  add_method<TrainerHandle>(object, "writeWeights", with_file<write_weights>);
  add_method<TrainerHandle>(object, "writeAdapter", with_file<write_adapter>);
  add_method<TrainerHandle>(object, "dispose", dispose);
  return object;
}

std::optional<models::LoraSpec> to_lora_spec(const Napi::Value& value) {
  if (value.IsNull()) return {};
  const Options options(value);
  models::LoraSpec out;
  out.rank = options.integer("rank");
  out.alpha = options.number("alpha");
  out.target_modules = to_texts(options.value("targetModules"), "targetModules");
  out.seed = static_cast<std::uint64_t>(options.integer("seed"));
  if (out.rank < 1) throw Napi::RangeError::New(value.Env(), "expected rank >= 1");
  return out;
}

Napi::Value create_trainer(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const Options spec(call[0]);
    const train::TrainableFiles files{spec.text("visionDir"), spec.text("languageDir"), spec.text("weightsFile"),
                                      spec.text("adapterDir"), to_recipe(spec.value("recipe"))};
    train::ParameterGroups trains;
    for (const std::string& name : to_texts(spec.value("trains"), "trains")) trains.insert(train::parse_group(name));
    const auto lora = to_lora_spec(spec.value("lora"));
    const double dropout = spec.number("loraDropout");
    if (!(dropout >= 0 && dropout < 1))
      throw Napi::RangeError::New(call.Env(), "expected loraDropout from 0 to below 1");
    const Options adamw(spec.value("optimizer"));
    const train::AdamWOptions optimizer{adamw.number("beta1"), adamw.number("beta2"), adamw.number("epsilon"),
                                        adamw.number("weightDecay")};
    const std::string device = spec.text("device"), dtype = spec.text("dtype");
    const auto cancel = get_handle<CancelFlag>(call[1]);
    auto held = std::make_shared<Held>();
    const models::StageProgress progress = stage_progress_callback(call[2], held, cancel);
    return run_async<TrainerPtr>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, held,
        [=] {
          return std::make_shared<train::Trainer>(
              train::TrainableModel::load(files, trains, lora ? &*lora : nullptr, parse_device(device),
                                          parse_dtype(dtype), cancel, progress),
              optimizer, dropout);
        },
        [](Napi::Env env, TrainerPtr& trainer) { return trainer_handle(env, std::move(trainer)); });
  });
}

}  // namespace

void export_trainer(Napi::Env env, Napi::Object exports) {
  exports.Set("createTrainer", Napi::Function::New(env, create_trainer, "createTrainer"));
}

}  // namespace brain3d::napi
