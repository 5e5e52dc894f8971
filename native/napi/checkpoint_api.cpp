// Making checkpoints, and looking into backbones.
#include <variant>

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
        const auto language = models::Gemma3Config::read(target.language_dir);
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
            .check_against(models::Gemma3::linear_modules(models::Gemma3Config::read(target.language_dir)));
      return models::CheckpointWeights::import_peer(file, target.vision_dir, vision, sizes, target.recipe);
    });
  });
}

struct BackboneInfo {
  std::string model_type;
  std::int64_t parameters = 0;
  std::vector<std::string> files;
  std::vector<std::pair<std::string, double>> config;
};

BackboneInfo inspect(const std::string& dir) {
  const io::Json json = io::read_json(dir + "/config.json");
  BackboneInfo out;
  out.model_type = weights::JsonFields(json, "config.json").text("model_type");
  const auto number = [&out](const char* key, auto value) { out.config.emplace_back(key, static_cast<double>(value)); };
  if (out.model_type == "gemma3" || out.model_type == "gemma3_text") {
    const auto config = models::Gemma3Config::read(dir);
    number("vocab_size", config.vocab_size);
    number("hidden_size", config.hidden_size);
    number("intermediate_size", config.intermediate_size);
    number("num_hidden_layers", config.num_hidden_layers);
    number("num_attention_heads", config.num_attention_heads);
    number("num_key_value_heads", config.num_key_value_heads);
    number("head_dim", config.head_dim);
    number("sliding_window", config.sliding_window);
    models::Gemma3::open_backbone(dir, config);  // strict: the weights fit the configuration
  } else {
    const auto config = models::SiglipConfig::read(dir);
    number("hidden_size", config.hidden_size);
    number("intermediate_size", config.intermediate_size);
    number("num_hidden_layers", config.num_hidden_layers);
    number("num_attention_heads", config.num_attention_heads);
    number("image_size", config.image_size);
    number("patch_size", config.patch_size);
    models::open_vision_backbone(dir, config);
  }
  const auto files = io::SafetensorsSet::open_directory(dir);
  out.files = files.files();
  for (const auto& [name, located] : files.tensors()) {
    std::int64_t size = 1;
    for (const std::int64_t side : located.entry->shape) size *= side;
    out.parameters += size;
  }
  return out;
}

Napi::Value inspect_backbone(const Napi::CallbackInfo& call) {
  const std::string dir = to_text(call[0], "dir");
  return run_async<BackboneInfo>(
      call.Env(), AddonData::of(call.Env()).files(), get_handle<CancelFlag>(call[1]), std::make_shared<Held>(),
      [dir] { return inspect(dir); },
      [](Napi::Env env, BackboneInfo& info) {
        Napi::Object config = Napi::Object::New(env);
        for (const auto& [key, value] : info.config) config.Set(key, value);
        Napi::Object out = Napi::Object::New(env);
        out.Set("modelType", info.model_type);
        out.Set("parameters", static_cast<double>(info.parameters));
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
