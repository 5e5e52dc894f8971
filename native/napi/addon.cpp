// The addon's entry: per-environment data, then the exports.
#include <napi.h>

#include "device/cpu_allocator.h"
#include "device/device.h"
#include "napi/addon_data.h"
#include "napi/exports.h"

namespace brain3d::napi {

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  install_caching_cpu_allocator();
  use_ieee_float32();
  AddonData::attach(env);
  export_cancel_token(env, exports);
  export_volume(env, exports);
  export_cache(env, exports);
  export_strip(env, exports);
  export_roberta(env, exports);
  export_model(env, exports);
  export_checkpoint(env, exports);
  export_simulate(env, exports);
  export_tensors(env, exports);
  export_trainer(env, exports);
  export_system_info(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(brain3d, init)

}  // namespace brain3d::napi
