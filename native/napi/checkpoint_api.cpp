// Making checkpoints, and looking into backbones.
#include <variant>

#include "models/brain3d/backbone_info.h"
#include "models/brain3d/brain3d_model.h"
#include "models/brain3d/checkpoint_weights.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/promise_task.h"

namespace brain3d::napi {

namespace {

struct NewCheckpoint {
  std::string vision_dir, language_dir, weights_file;
  models::Recipe recipe;
};

NewCheckpoint to_new_checkpoint(const Options& spec) {
  return {spec.text("visionDir"), spec.text("languageDir"), spec.text("weightsFile"), to_recipe(spec.value("recipe"))};
}

using MakeWeights =
    std::function<models::CheckpointWeights(const models::SiglipConfig&, const models::CheckpointSizes&)>;

/// Reads both configurations, has the weights made, writes them.
Napi::Value write_checkpoint(const Napi::CallbackInfo& call, const NewCheckpoint& target, MakeWeights make) {
  return run_async<std::monostate>(
      call.Env(), AddonData::of(call.Env()).compute(), get_handle<CancelFlag>(call[1]), std::make_shared<Held>(),
      [target, make] {
        const c10::InferenceMode inference;
        const auto vision = models::SiglipConfig::read(target.vision_dir);
        const auto language = models::read_decoder_spec(target.language_dir);
        make(vision, models::checkpoint_sizes(vision, language.hidden_size, target.recipe)).write(target.weights_file);
        return std::monostate{};
      },
      [](Napi::Env env, std::monostate&) { return env.Undefined(); });
}

Napi::Value init_checkpoint(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    const Options spec(call[0]);
    const NewCheckpoint target = to_new_checkpoint(spec);
    const auto seed = static_cast<std::uint64_t>(spec.integer("seed"));
    const auto start = to_patch_embedding_start(spec);
    return write_checkpoint(call, target, [target, start, seed](const auto& vision, const auto& sizes) {
      return models::CheckpointWeights::initialise(target.vision_dir, vision, sizes, target.recipe, start, seed);
    });
  });
}

Napi::Value import_projector(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    const Options spec(call[0]);
    const NewCheckpoint target = to_new_checkpoint(spec);
    const std::string file = spec.text("file"), adapter_dir = spec.text("adapterDir");
    return write_checkpoint(call, target, [target, file, adapter_dir](const auto& vision, const auto& sizes) {
      // An adapter that no model could be loaded with is refused before anything is written.
      if (!adapter_dir.empty())
        weights::LoraAdapter::read(adapter_dir)
            .check_against(models::Decoder::linear_modules(models::read_decoder_spec(target.language_dir)));
      return models::CheckpointWeights::import_peer(file, target.vision_dir, vision, sizes, target.recipe);
    });
  });
}

Napi::Value inspect_backbone(const Napi::CallbackInfo& call) {
  const std::string dir = to_text(call[0], "dir");
  return run_async<models::BackboneInfo>(
      call.Env(), AddonData::of(call.Env()).files(), get_handle<CancelFlag>(call[1]), std::make_shared<Held>(),
      [dir] { return models::inspect_backbone(dir); },
      [](Napi::Env env, models::BackboneInfo& info) {
        Napi::Object config = Napi::Object::New(env);
        for (const auto& [key, value] : info.config) config.Set(key, value);
        Napi::Object out = Napi::Object::New(env);
        out.Set("modelType", info.model_type);
        out.Set("parameters", static_cast<double>(info.num_parameters));
        out.Set("weightFiles", to_array(env, info.files));
        out.Set("config", config);
        return out;
      });
}

}  // namespace

void export_checkpoint(Napi::Env env, Napi::Object exports) {
  exports.Set("initCheckpoint", Napi::Function::New(env, init_checkpoint, "initCheckpoint"));
  exports.Set("importProjector", Napi::Function::New(env, import_projector, "importProjector"));
  exports.Set("inspectBackbone", Napi::Function::New(env, inspect_backbone, "inspectBackbone"));
}

}  // namespace brain3d::napi
