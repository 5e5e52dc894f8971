// A model that is being trained: one step per call.
#include <variant>

#include "device/dtype.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/js_callback.h"
#include "napi/objectives.h"
#include "napi/trainer_convert.h"
#include "train/grounding.h"
#include "train/trainer.h"

namespace brain3d::napi {

namespace {

using TrainerPtr = std::shared_ptr<train::Trainer>;

using TrainerHandle = Disposable<train::Trainer>;

}  // namespace

template <>
struct HandleTraits<TrainerHandle> {
  static constexpr const char* name = "Trainer";
  static constexpr const char* disposed = "the trainer was disposed; make a new one";
  static constexpr napi_type_tag tag{0x1be04cd9732f58a6, 0x94d30a6fc1e7852b};
};

namespace {

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
    const models::DecoderSpec& language = model.language().spec();
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

Napi::Value tensor_value(Napi::Env env, at::Tensor& tensor) { return to_float32_array(env, tensor); }
Napi::Value nothing(Napi::Env env, std::monostate&) { return env.Undefined(); }
Napi::Value losses_value(Napi::Env env, train::Losses& losses) { return losses_object(env, losses); }

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

Napi::Value step(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    auto held = std::make_shared<Held>();
    const ObjectivePtr objective = to_objective(call[0], handle->get()->model(), *held);
    const train::Update update = to_update(call[1]);
    return run<train::StepResult>(
        handle, call, call[2], held,
        [objective, update](train::Trainer& trainer, const CancelFlag& cancel) {
          return trainer.step(*objective, update, cancel);
        },
        step_object);
  });
}

Napi::Value loss(const std::shared_ptr<TrainerHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    auto held = std::make_shared<Held>();
    const ObjectivePtr objective = to_objective(call[0], handle->get()->model(), *held);
    return run<train::Losses>(
        handle, call, call[1], held,
        [objective](train::Trainer& trainer, const CancelFlag& cancel) { return trainer.loss(*objective, cancel); },
        losses_value);
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

Napi::Object trainer_handle(Napi::Env env, TrainerPtr trainer) {
  const train::TrainableModel& model = trainer->model();
  const std::int64_t count = model.encoder().num_parameters() + model.language().num_parameters();
  const std::int64_t bytes =
      model.device().is_cpu() ? count * static_cast<std::int64_t>(c10::elementSize(model.dtype())) : 0;
  Napi::Object object = make_handle(env, std::make_shared<TrainerHandle>(TrainerHandle{std::move(trainer)}), bytes);
  add_method<TrainerHandle>(object, "info", info);
  add_method<TrainerHandle>(object, "encodePooled", encode_pooled);
  add_method<TrainerHandle>(object, "embedTexts", embed_texts);
  add_method<TrainerHandle>(object, "step", step);
  add_method<TrainerHandle>(object, "loss", loss);
  add_method<TrainerHandle>(object, "saveState", with_file<save_state>);
  add_method<TrainerHandle>(object, "loadState", with_file<load_state>);
  add_method<TrainerHandle>(object, "writeWeights", with_file<write_weights>);
  add_method<TrainerHandle>(object, "writeAdapter", with_file<write_adapter>);
  add_method<TrainerHandle>(object, "dispose", dispose<train::Trainer>);
  return object;
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
