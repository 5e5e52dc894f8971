// Volumes: reading, preprocessing, writing.
#include <algorithm>
#include <variant>

#include "io/safetensors/safetensors.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/promise_task.h"
#include "volume/preprocess.h"

namespace brain3d::napi {

namespace {

Napi::Object volume_info(Napi::Env env, const volume::Volume& volume) {
  Napi::Object info = Napi::Object::New(env);
  const volume::AxisMap axes = volume::nearest_axes(volume.affine);
  info.Set("shape", to_array(env, volume.voxels.sizes()));
  info.Set("affine", to_array(env, volume.affine));
  info.Set("spacingMm", to_array(env, volume::voxel_sizes(volume.affine)));
  info.Set("orientation", volume::axis_codes(axes));
  info.Set("obliqueDegrees", axes.oblique_degrees);
  info.Set("affineSource", volume.affine_source);
  info.Set("datatype", volume.datatype);
  info.Set("warnings", to_array(env, volume.warnings));
  return info;
}

Napi::Value info(const std::shared_ptr<volume::Volume>& volume, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] { return volume_info(call.Env(), *volume); });
}

Napi::Value data(const std::shared_ptr<volume::Volume>& volume, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] { return to_float32_array(call.Env(), volume->voxels); });
}

/// Quick enough for the JavaScript thread: a copy of the voxels there would not be.
Napi::Value count_non_zero(const std::shared_ptr<volume::Volume>& volume, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&] {
    const at::Tensor voxels = volume->voxels.contiguous();
    const float* begin = voxels.const_data_ptr<float>();
    const auto zeros = std::count(begin, begin + voxels.numel(), 0.0F);
    return Napi::Number::New(call.Env(), static_cast<double>(voxels.numel() - zeros));
  });
}

}  // namespace

Napi::Object volume_handle(Napi::Env env, volume::Volume volume) {
  const auto bytes = static_cast<std::int64_t>(volume.voxels.nbytes());
  Napi::Object object = make_handle(env, std::make_shared<volume::Volume>(std::move(volume)), bytes);
  add_method<volume::Volume>(object, "info", info);
  add_method<volume::Volume>(object, "data", data);
  add_method<volume::Volume>(object, "countNonZero", count_non_zero);
  return object;
}

namespace {

volume::ReadOptions to_read_options(const Napi::Value& value) {
  const Options options(value);
  return {options.integer("volumeIndex"), options.text("orientation"), options.text("preferAffine"),
          options.boolean("overrideOrientation")};
}

/// The common shape of this file's calls: work on the files thread that makes one value.
template <typename T>
Napi::Value run_on_files(Napi::Env env, const CancelHandle& cancel, std::shared_ptr<Held> held, std::function<T()> work,
                         std::function<Napi::Value(Napi::Env, T&)> convert) {
  return run_async<T>(env, AddonData::of(env).files(), cancel, std::move(held), std::move(work), std::move(convert));
}

Napi::Value nothing(Napi::Env env, std::monostate&) { return env.Undefined(); }

Napi::Value read_volume(const Napi::CallbackInfo& call) {
  const std::string path = to_text(call[0], "path");
  volume::ReadOptions options = to_read_options(call[1]);
  const auto cancel = get_handle<CancelFlag>(call[2]);
  options.cancel = cancel.get();
  return run_on_files<volume::Volume>(
      call.Env(), cancel, std::make_shared<Held>(),
      [path, options, cancel] { return volume::read_volume(path, options); },
      [](Napi::Env env, volume::Volume& volume) { return volume_handle(env, std::move(volume)); });
}

Napi::Value read_volume_info(const Napi::CallbackInfo& call) {
  const std::string path = to_text(call[0], "path");
  const volume::ReadOptions options = to_read_options(call[1]);
  return run_on_files<volume::Volume>(
      call.Env(), get_handle<CancelFlag>(call[2]), std::make_shared<Held>(),
      [path, options] { return volume::read_volume_header(path, options); },
      [](Napi::Env env, volume::Volume& volume) { return volume_info(env, volume); });
}

Napi::Value volume_from_array(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    if (!call[0].IsTypedArray() || call[0].As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
      throw Napi::TypeError::New(call.Env(), "expected a Float32Array for data");
    const auto voxels = call[0].As<Napi::Float32Array>();
    const auto shape = to_integers(call[1], "shape");
    const auto affine = to_numbers(call[2], "affine");
    B3D_CHECK(shape.size() == 3 && affine.size() == 16, Usage,
              "expected three sides for shape and sixteen numbers for affine, got ", shape.size(), " and ",
              affine.size());
    std::int64_t num_voxels = 1;
    for (const std::int64_t side : shape) {
      B3D_CHECK(side >= 1 && side <= 4096, Usage, "expected sides from 1 to 4096 for shape, got ", side);
      num_voxels *= side;
    }
    B3D_CHECK(static_cast<std::int64_t>(voxels.ElementLength()) == num_voxels, Usage, "expected ", num_voxels,
              " voxels for data, got ", voxels.ElementLength());
    volume::Affine matrix{};
    std::copy(affine.begin(), affine.end(), matrix.begin());
    return volume_handle(call.Env(), volume::volume_from_array(voxels.Data(), {shape[0], shape[1], shape[2]}, matrix));
  });
}

Napi::Value preprocess(const Napi::CallbackInfo& call) {
  const auto volume = get_handle<volume::Volume>(call[0]);
  const Options options(call[1]);
  const auto size = options.integers("size");
  if (size.size() != 3) throw Napi::TypeError::New(call.Env(), "expected three integers for size");
  const Napi::Value mask = options.value("mask");
  const volume::PreprocessOptions settings{{size[0], size[1], size[2]},
                                           options.number("lowerPercentile"),
                                           options.number("upperPercentile"),
                                           mask.IsNull() ? nullptr : get_handle<volume::Volume>(mask)};
  const auto cancel = get_handle<CancelFlag>(call[2]);
  return run_async<volume::Volume>(
      call.Env(), AddonData::of(call.Env()).compute(), cancel, std::make_shared<Held>(),
      [volume, settings, cancel] { return volume::preprocess(*volume, settings, *cancel); },
      [](Napi::Env env, volume::Volume& out) { return volume_handle(env, std::move(out)); });
}

io::StoredAs to_stored_as(const Napi::Value& value) {
  const std::string name = to_text(value, "datatype");
  if (name == "float32") return io::StoredAs::Float32;
  if (name == "int16") return io::StoredAs::Int16;
  if (name == "uint8") return io::StoredAs::UInt8;
  throw Napi::RangeError::New(value.Env(), "expected float32, int16 or uint8 for datatype");
}

Napi::Value write_volume(const Napi::CallbackInfo& call) {
  const auto volume = get_handle<volume::Volume>(call[0]);
  const std::string path = to_text(call[1], "path");
  const io::StoredAs stored_as = to_stored_as(call[2]);
  const auto cancel = get_handle<CancelFlag>(call[3]);
  return run_on_files<std::monostate>(
      call.Env(), cancel, std::make_shared<Held>(),
      [volume, path, stored_as, cancel] {
        volume::write_volume(*volume, path, stored_as, cancel.get());
        return std::monostate{};
      },
      nothing);
}

}  // namespace

void export_volume(Napi::Env env, Napi::Object exports) {
  exports.Set("readVolume", Napi::Function::New(env, read_volume, "readVolume"));
  exports.Set("readVolumeInfo", Napi::Function::New(env, read_volume_info, "readVolumeInfo"));
  exports.Set("volumeFromArray", Napi::Function::New(env, volume_from_array, "volumeFromArray"));
  exports.Set("preprocess", Napi::Function::New(env, preprocess, "preprocess"));
  exports.Set("writeVolume", Napi::Function::New(env, write_volume, "writeVolume"));
}

}  // namespace brain3d::napi
