// The addon's exports, by file. Their types and contracts are in lib/native/surface.ts.
#pragma once

#include <napi.h>

#include <memory>

#include "base/cancel.h"
#include "napi/handle.h"
#include "volume/volume.h"

namespace brain3d::napi {

template <>
struct HandleTraits<CancelFlag> {
  static constexpr const char* name = "CancelToken";
  static constexpr napi_type_tag tag{0x8c1f0c1a5b3e4d27, 0x9a6d2e7f10b4c583};
};

template <>
struct HandleTraits<volume::Volume> {
  static constexpr const char* name = "Volume";
  static constexpr napi_type_tag tag{0x4f2a97d1c06b48e3, 0xb1d85f3a62e7904c};
};

/// A volume as JavaScript holds it.
Napi::Object volume_handle(Napi::Env env, volume::Volume volume);

void export_cancel_token(Napi::Env env, Napi::Object exports);
void export_volume(Napi::Env env, Napi::Object exports);
void export_cache(Napi::Env env, Napi::Object exports);
void export_strip(Napi::Env env, Napi::Object exports);
void export_roberta(Napi::Env env, Napi::Object exports);
void export_model(Napi::Env env, Napi::Object exports);
void export_checkpoint(Napi::Env env, Napi::Object exports);
void export_simulate(Napi::Env env, Napi::Object exports);
void export_tensors(Napi::Env env, Napi::Object exports);
void export_trainer(Napi::Env env, Napi::Object exports);
void export_system_info(Napi::Env env, Napi::Object exports);

}  // namespace brain3d::napi
