// Preprocessed volumes in a cache: writing and opening them.
#include <variant>

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/promise_task.h"
#include "volume/cached_volume.h"

namespace brain3d::napi {

namespace {

Napi::Value write_cached_volume(const Napi::CallbackInfo& call) {
  const auto volume = get_handle<volume::Volume>(call[0]);
  const std::string path = to_text(call[1], "path");
  return run_async<std::monostate>(
      call.Env(), AddonData::of(call.Env()).files(), get_handle<CancelFlag>(call[2]), std::make_shared<Held>(),
      [volume, path] {
        volume::write_cached_volume(*volume, path);
        return std::monostate{};
      },
      [](Napi::Env env, std::monostate&) { return env.Undefined(); });
}

volume::Volume to_geometry(const Options& options) {
  volume::Volume volume;
  const auto affine = to_numbers(options.value("affine"), "affine");
  if (affine.size() != volume.affine.size())
    throw Napi::TypeError::New(options.value("affine").Env(), "expected sixteen numbers for affine");
  std::copy(affine.begin(), affine.end(), volume.affine.begin());
  volume.affine_source = options.text("affineSource");
  volume.datatype = options.text("datatype");
  volume.warnings = to_texts(options.value("warnings"), "warnings");
  return volume;
}

Napi::Value open_cached_volume(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const std::string path = to_text(call[0], "path");
    const volume::Volume geometry = to_geometry(Options(call[1]));
    volume::nearest_axes(geometry.affine);  // refuses an unusable affine now, not at the first use
    return run_async<volume::Volume>(
        call.Env(), AddonData::of(call.Env()).files(), get_handle<CancelFlag>(call[2]), std::make_shared<Held>(),
        [path, geometry] {
          volume::Volume volume = geometry;
          volume.voxels = volume::read_cached_voxels(path);
          return volume;
        },
        [](Napi::Env env, volume::Volume& volume) { return volume_handle(env, std::move(volume)); });
  });
}

}  // namespace

void export_cache(Napi::Env env, Napi::Object exports) {
  exports.Set("writeCachedVolume", Napi::Function::New(env, write_cached_volume, "writeCachedVolume"));
  exports.Set("openCachedVolume", Napi::Function::New(env, open_cached_volume, "openCachedVolume"));
}

}  // namespace brain3d::napi
