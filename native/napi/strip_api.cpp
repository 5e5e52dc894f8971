// Brain masks: found here, or taken from what a tool of the user's wrote.
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/promise_task.h"
#include "volume/brain_mask.h"

namespace brain3d::napi {

namespace {

Napi::Value to_js(Napi::Env env, volume::BrainMask& found) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("mask", found.mask.voxels.defined() ? volume_handle(env, std::move(found.mask)) : env.Null());
  out.Set("method", found.method);
  out.Set("reason", found.reason);
  out.Set("brainVolumeMl", found.volume_ml);
  out.Set("warnings", to_array(env, found.warnings));
  return out;
}

volume::StripMethod to_method(const Napi::Value& value) {
  const std::string name = to_text(value, "method");
  if (name == "none") return volume::StripMethod::None;
  if (name == "auto") return volume::StripMethod::Auto;
  if (name == "bet") return volume::StripMethod::Bet;
  throw Napi::RangeError::New(value.Env(), "expected none, auto or bet for method");
}

Napi::Value brain_mask(const Napi::CallbackInfo& call) {
  const auto volume = get_handle<volume::Volume>(call[0]);
  const auto method = to_method(call[1]);
  const auto cancel = get_handle<CancelFlag>(call[2]);
  return run_async<volume::BrainMask>(
      call.Env(), AddonData::of(call.Env()).compute(), cancel, std::make_shared<Held>(),
      [volume, method, cancel] { return volume::brain_mask(*volume, method, *cancel); }, to_js);
}

Napi::Value mask_from_tool(const Napi::CallbackInfo& call) {
  const auto volume = get_handle<volume::Volume>(call[0]);
  const auto output = get_handle<volume::Volume>(call[1]);
  return run_async<volume::BrainMask>(
      call.Env(), AddonData::of(call.Env()).compute(), get_handle<CancelFlag>(call[2]), std::make_shared<Held>(),
      [volume, output] { return volume::mask_from_tool(*volume, *output); }, to_js);
}

}  // namespace

void export_strip(Napi::Env env, Napi::Object exports) {
  exports.Set("brainMask", Napi::Function::New(env, brain_mask, "brainMask"));
  exports.Set("maskFromTool", Napi::Function::New(env, mask_from_tool, "maskFromTool"));
}

}  // namespace brain3d::napi
