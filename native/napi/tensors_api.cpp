// Named float32 tensors in files.
#include <variant>

#include "base/error.h"
#include "io/safetensors/safetensors.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/promise_task.h"
#include "weights/weight_source.h"

namespace brain3d::napi {

namespace {

Napi::Value write_tensors(const Napi::CallbackInfo& call) {
  const std::string path = to_text(call[0], "path");
  if (!call[1].IsArray() || !call[2].IsObject())
    throw Napi::TypeError::New(call.Env(), "expected an array for tensors and an object for metadata");
  const auto list = call[1].As<Napi::Array>();
  auto held = std::make_shared<Held>();
  std::vector<io::TensorToWrite> tensors;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const Options tensor(list.Get(i));
    const Napi::Value data = tensor.value("data");
    if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
      throw Napi::TypeError::New(call.Env(), "expected a Float32Array for data");
    const auto voxels = data.As<Napi::Float32Array>();
    const auto shape = tensor.integers("shape");
    std::int64_t size = 1;
    for (const std::int64_t side : shape) size *= side;
    if (size != static_cast<std::int64_t>(voxels.ElementLength()))
      throw Napi::RangeError::New(call.Env(), "shape and data of tensor '" + tensor.text("name") + "' disagree");
    held->add(data);
    tensors.push_back({tensor.text("name"), io::DType::F32, shape, voxels.Data()});
  }
  std::map<std::string, std::string> metadata;
  const auto object = call[2].As<Napi::Object>();
  const Napi::Array keys = object.GetPropertyNames();
  for (std::uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = to_text(keys.Get(i), "metadata");
    metadata[key] = to_text(object.Get(key), key.c_str());
  }
  return run_async<std::monostate>(
      call.Env(), AddonData::of(call.Env()).files(), get_handle<CancelFlag>(call[3]), held,
      [path, tensors, metadata] {
        io::write_safetensors(path, tensors, metadata);
        return std::monostate{};
      },
      [](Napi::Env env, std::monostate&) { return env.Undefined(); });
}

std::vector<std::pair<std::string, at::Tensor>> read_all(const std::string& path) {
  const io::SafetensorsFile file(path);
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& [name, entry] : file.tensors()) {
    if (entry.dtype != io::DType::F32)
      throw Error(ErrorCode::Format,
                  concat("expected float32 tensors in ", file.name(), ", got ", io::dtype_name(entry.dtype), " for '",
                         name, "'"),
                  {file.name(), name, static_cast<std::int64_t>(entry.begin)});
    tensors.emplace_back(name, weights::view_of(file, name, entry).clone());
  }
  return tensors;
}

Napi::Value read_tensors(const Napi::CallbackInfo& call) {
  const std::string path = to_text(call[0], "path");
  using Tensors = std::vector<std::pair<std::string, at::Tensor>>;
  return run_async<Tensors>(
      call.Env(), AddonData::of(call.Env()).files(), get_handle<CancelFlag>(call[1]), std::make_shared<Held>(),
      [path] { return read_all(path); },
      [](Napi::Env env, Tensors& tensors) {
        Napi::Array out = Napi::Array::New(env, tensors.size());
        for (std::size_t i = 0; i < tensors.size(); ++i) {
          Napi::Object item = Napi::Object::New(env);
          item.Set("name", tensors[i].first);
          item.Set("shape", to_array(env, tensors[i].second.sizes().vec()));
          item.Set("data", to_float32_array(env, tensors[i].second));
          out.Set(static_cast<std::uint32_t>(i), item);
        }
        return out;
      });
}

}  // namespace

void export_tensors(Napi::Env env, Napi::Object exports) {
  exports.Set("writeTensors", Napi::Function::New(env, write_tensors, "writeTensors"));
  exports.Set("readTensors", Napi::Function::New(env, read_tensors, "readTensors"));
}

}  // namespace brain3d::napi
