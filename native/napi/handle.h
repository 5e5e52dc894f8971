// C++ objects behind JavaScript ones, with a type tag: a method called on another object is a TypeError, not a crash.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/large_memory.h"
#include "device/device.h"
#include "napi/addon_data.h"

namespace brain3d::napi {

/// Specialised for each type that JavaScript may hold: `tag` (random, once) and `name` for messages.
template <typename T>
struct HandleTraits;

/// A JavaScript object that shares ownership of `value`. `external_bytes` are reported to the garbage collector, which
/// cannot see native memory.
template <typename T>
Napi::Object make_handle(Napi::Env env, std::shared_ptr<T> value, std::int64_t external_bytes) {
  Napi::Object object = Napi::Object::New(env);
  auto shared = std::make_unique<std::shared_ptr<T>>(std::move(value));
  const auto release = [](napi_env raw, void* pointer, void* hint) {
    delete static_cast<std::shared_ptr<T>*>(pointer);
    std::int64_t adjusted = 0;
    napi_adjust_external_memory(raw, -static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(hint)), &adjusted);
  };
  auto* hint = reinterpret_cast<void*>(static_cast<std::intptr_t>(external_bytes));
  // Wrapped last, for then the object owns it: either call fails from the moment of a worker.terminate() on.
  if (napi_type_tag_object(env, object, &HandleTraits<T>::tag) != napi_ok ||
      napi_wrap(env, object, shared.get(), release, hint, nullptr) != napi_ok)
    throw Napi::Error::New(env);
  static_cast<void>(shared.release());
  Napi::MemoryManagement::AdjustExternalMemory(env, external_bytes);
  return object;
}

/// Throws TypeError unless `value` is a handle of `T`.
template <typename T>
std::shared_ptr<T> get_handle(const Napi::Value& value) {
  bool matches = false;
  if (value.IsObject()) napi_check_object_type_tag(value.Env(), value, &HandleTraits<T>::tag, &matches);
  if (!matches)
    throw Napi::TypeError::New(value.Env(), std::string("expected a native ") + HandleTraits<T>::name + " handle");
  void* pointer = nullptr;
  if (napi_unwrap(value.Env(), value, &pointer) != napi_ok) throw Napi::Error::New(value.Env());
  return *static_cast<std::shared_ptr<T>*>(pointer);
}

/// The share of something large that JavaScript holds. `dispose` empties it; calls in flight have their own share and
/// finish. Its `HandleTraits` also say, as `disposed`, what a call after that is told.
template <typename T>
struct Disposable {
  std::shared_ptr<T> object;

  std::shared_ptr<T> get() const {
    B3D_CHECK(object != nullptr, Disposed, HandleTraits<Disposable>::disposed);
    return object;
  }
};

/// The method `dispose`, the same for all of them. Calls in flight may be the last to hold the object, so a device's
/// memory is given back behind them, on their thread.
template <typename T>
Napi::Value dispose(const std::shared_ptr<Disposable<T>>& handle, const Napi::CallbackInfo& call) {
  handle->object = nullptr;
  release_cached_cpu_memory();
  AddonData::of(call.Env()).compute().post(std::make_shared<CancelFlag>(), [] { release_cached_device_memory(); });
  return call.Env().Undefined();
}

/// Adds a method whose receiver must be a handle of `T`.
template <typename T>
void add_method(Napi::Object object, const char* name,
                Napi::Value (*method)(const std::shared_ptr<T>&, const Napi::CallbackInfo&)) {
  object.Set(name,
             Napi::Function::New(
                 object.Env(),
                 [method](const Napi::CallbackInfo& info) { return method(get_handle<T>(info.This()), info); }, name));
}

}  // namespace brain3d::napi
