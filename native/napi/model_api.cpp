// A loaded model: encode, generate, score.
#include "base/stopwatch.h"
#include "device/device.h"
#include "device/dtype.h"
#include "generate/reports.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/js_callback.h"
#include "napi/promise_task.h"

namespace brain3d::napi {

namespace {

using ModelHandle = Disposable<const models::Brain3DModel>;

}  // namespace

template <>
struct HandleTraits<ModelHandle> {
  static constexpr const char* name = "Model";
  static constexpr const char* disposed = "the model was disposed; load it again";
  static constexpr napi_type_tag tag{0x27b9e0f45d3c41aa, 0x86c4f17be29d3051};
};

namespace {

using ModelPtr = std::shared_ptr<const models::Brain3DModel>;

Napi::Value info(const std::shared_ptr<ModelHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const ModelPtr model = handle->get();
    Napi::Object out = Napi::Object::New(call.Env());
    Napi::Object parameters = Napi::Object::New(call.Env());
    parameters.Set("vision", static_cast<double>(model->vision().num_parameters()));
    parameters.Set("language", static_cast<double>(model->language().num_parameters()));
    parameters.Set("projector", static_cast<double>(model->projector().num_parameters()));
    parameters.Set("adapter", static_cast<double>(model->num_adapter_parameters()));
    out.Set("device", model->device().str());
    out.Set("dtype", dtype_name(model->dtype()));
    out.Set("parameters", parameters);
    out.Set("weightBytes", static_cast<double>(model->weight_bytes()));
    const models::DecoderSpec& language = model->language().spec();
    out.Set("vocabSize", static_cast<double>(language.vocab_size));
    out.Set("maxPositions", static_cast<double>(language.max_position_embeddings));
    out.Set("languageWidth", static_cast<double>(language.hidden_size));
    out.Set("visionWidth", static_cast<double>(model->vision().width()));
    out.Set("numPatchTokens", static_cast<double>(model->vision().num_tokens()));
    out.Set("numVisualTokens", static_cast<double>(model->recipe().num_visual_tokens));
    out.Set("warnings", to_array(call.Env(), model->warnings()));
    return out;
  });
}

generate::SamplingOptions to_sampling_options(const Napi::Value& value) {
  const Options options(value);
  options.require_known("decoding option",
                        {"greedy", "temperature", "topK", "topP", "repetitionPenalty", "noRepeatNgramSize",
                         "minNewTokens", "maxNewTokens", "seed", "eosTokenIds", "padTokenId", "cudaGraph"});
  generate::SamplingOptions out;
  out.greedy = options.boolean("greedy");
  out.temperature = options.number("temperature");
  out.top_k = options.integer("topK");
  out.top_p = options.number("topP");
  out.repetition_penalty = options.number("repetitionPenalty");
  out.no_repeat_ngram_size = options.integer("noRepeatNgramSize");
  out.min_new_tokens = options.integer("minNewTokens");
  out.max_new_tokens = options.integer("maxNewTokens");
  out.seed = static_cast<std::uint64_t>(options.integer("seed"));
  out.eos_token_ids = options.integers("eosTokenIds");
  out.pad_token_id = options.integer("padTokenId");
  return out;
}

std::vector<at::Tensor> to_voxels(const Napi::Value& value) {
  const Napi::Array array = to_list(value, "volumes");
  std::vector<at::Tensor> voxels;
  for (std::uint32_t i = 0; i < array.Length(); ++i) voxels.push_back(get_handle<volume::Volume>(array.Get(i))->voxels);
  return voxels;
}

struct EncodeResult {
  models::Encoding encoding;
  double encode_ms;
};

Napi::Value encode(const std::shared_ptr<ModelHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const ModelPtr model = handle->get();
    const at::Tensor voxels = get_handle<volume::Volume>(call[0])->voxels;
    const auto cancel = get_handle<CancelFlag>(call[1]);
    return run_async<EncodeResult>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, std::make_shared<Held>(),
        [model, voxels, cancel] {
          const c10::InferenceMode inference;
          const Stopwatch watch;
          models::Encoding encoding = model->encode(generate::volume_batch(*model, voxels), cancel.get());
          for (at::Tensor* tensor : {&encoding.patch_tokens, &encoding.pooled_tokens, &encoding.visual_tokens})
            *tensor = tensor->to(at::kCPU, at::kFloat);
          models::check_computed(encoding.patch_tokens, "tokens");
          models::check_computed(encoding.visual_tokens, "tokens");
          return EncodeResult{std::move(encoding), watch.elapsed_ms()};
        },
        [model](Napi::Env env, EncodeResult& result) {
          Napi::Object out = Napi::Object::New(env);
          out.Set("patchTokens", to_float32_array(env, result.encoding.patch_tokens));
          out.Set("pooledTokens", to_float32_array(env, result.encoding.pooled_tokens));
          out.Set("visualTokens", to_float32_array(env, result.encoding.visual_tokens));
          out.Set("numPatchTokens", static_cast<double>(model->vision().num_tokens()));
          out.Set("visionWidth", static_cast<double>(model->vision().width()));
          out.Set("languageWidth", static_cast<double>(model->language().spec().hidden_size));
          out.Set("encodeMs", result.encode_ms);
          return out;
        });
  });
}

Napi::Value generation_object(Napi::Env env, const generate::Reports& reports) {
  Napi::Array sequences = Napi::Array::New(env);
  std::uint32_t index = 0;
  for (const generate::Sequence& sequence : reports.generation.sequences) {
    Napi::Object item = Napi::Object::New(env);
    item.Set("tokenIds", to_array(env, sequence.token_ids));
    item.Set("finishReason", sequence.ended ? "eos" : "length");
    sequences.Set(index++, item);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("sequences", sequences);
  out.Set("encodeMs", reports.encode_ms);
  out.Set("prefillMs", reports.generation.prefill_ms);
  out.Set("decodeMs", reports.generation.decode_ms);
  out.Set("peakDeviceBytes", static_cast<double>(reports.peak_device_bytes));
  return out;
}

Napi::Value generate_reports(const std::shared_ptr<ModelHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const ModelPtr model = handle->get();
    const auto voxels = to_voxels(call[0]);
    const auto prompt_ids = to_integers(call[1], "promptIds");
    const auto options = to_sampling_options(call[2]);
    const auto plan = generate::StepPlan::for_device(model->device(), Options(call[2]).boolean("cudaGraph"));
    const auto cancel = get_handle<CancelFlag>(call[3]);
    auto held = std::make_shared<Held>();
    const auto on_tokens = js_callback<std::vector<std::int64_t>>(
        call[4], held, cancel, [](Napi::Env env, const std::vector<std::int64_t>& ids) {
          return std::vector<napi_value>{to_array(env, ids)};
        });
    return run_async<generate::Reports>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, held,
        [model, voxels, prompt_ids, options, plan, cancel, on_tokens] {
          const c10::InferenceMode inference;
          return generate::generate_reports(*model, voxels, prompt_ids, options, plan, *cancel, on_tokens);
        },
        generation_object);
  });
}

struct ScoreResult {
  at::Tensor nlls;
  double encode_ms;
  double score_ms;
};

Napi::Value score(const std::shared_ptr<ModelHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const ModelPtr model = handle->get();
    const at::Tensor voxels = get_handle<volume::Volume>(call[0])->voxels;
    const auto prompt_ids = to_integers(call[1], "promptIds");
    const auto report_ids = to_integers(call[2], "reportIds");
    const auto cancel = get_handle<CancelFlag>(call[3]);
    return run_async<ScoreResult>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, std::make_shared<Held>(),
        [model, voxels, prompt_ids, report_ids, cancel] {
          const c10::InferenceMode inference;
          const Stopwatch encode_watch;
          const at::Tensor visual = model->encode(generate::volume_batch(*model, voxels), cancel.get()).visual_tokens;
          synchronize(model->device());
          const double encode_ms = encode_watch.elapsed_ms();
          const Stopwatch score_watch;
          const at::Tensor nlls = model->token_nlls(visual, prompt_ids, report_ids, cancel.get()).to(at::kCPU);
          return ScoreResult{nlls, encode_ms, score_watch.elapsed_ms()};
        },
        [](Napi::Env env, ScoreResult& result) {
          Napi::Object out = Napi::Object::New(env);
          out.Set("nlls", to_float32_array(env, result.nlls));
          out.Set("encodeMs", result.encode_ms);
          out.Set("scoreMs", result.score_ms);
          return out;
        });
  });
}

Napi::Object model_handle(Napi::Env env, ModelPtr model) {
  const std::int64_t bytes = model->device().is_cpu() ? model->weight_bytes() : 0;
  Napi::Object object = make_handle(env, std::make_shared<ModelHandle>(ModelHandle{std::move(model)}), bytes);
  add_method<ModelHandle>(object, "info", info);
  add_method<ModelHandle>(object, "encode", encode);
  add_method<ModelHandle>(object, "generate", generate_reports);
  add_method<ModelHandle>(object, "score", score);
  add_method<ModelHandle>(object, "dispose", dispose<const models::Brain3DModel>);
  return object;
}

Napi::Value load_model(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const Options spec(call[0]);
    const models::ModelFiles files{spec.text("visionDir"),       spec.text("languageDir"),
                                   spec.text("weightsFile"),     spec.text("adapterDir"),
                                   spec.boolean("mergeAdapter"), to_recipe(spec.value("recipe"))};
    const std::string device = spec.text("device"), dtype = spec.text("dtype");
    const auto cancel = get_handle<CancelFlag>(call[1]);
    auto held = std::make_shared<Held>();
    const models::StageProgress progress = stage_progress_callback(call[2], held, cancel);
    return run_async<ModelPtr>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, held,
        [files, device, dtype, cancel, progress] {
          const c10::InferenceMode inference;
          return std::make_shared<const models::Brain3DModel>(
              models::Brain3DModel::load(files, parse_device(device), parse_dtype(dtype), cancel, progress));
        },
        [](Napi::Env env, ModelPtr& model) { return model_handle(env, std::move(model)); });
  });
}

}  // namespace

void export_model(Napi::Env env, Napi::Object exports) {
  exports.Set("loadModel", Napi::Function::New(env, load_model, "loadModel"));
}

}  // namespace brain3d::napi
