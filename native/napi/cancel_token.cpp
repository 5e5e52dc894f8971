// A flag JavaScript sets and native work polls.
#include "napi/addon_data.h"
#include "napi/exports.h"

namespace brain3d::napi {

namespace {

Napi::Value cancel(const std::shared_ptr<CancelFlag>& flag, const Napi::CallbackInfo& info) {
  flag->cancel();
  AddonData::of(info.Env()).run_cancelled();
  return info.Env().Undefined();
}

Napi::Value create_cancel_token(const Napi::CallbackInfo& info) {
  Napi::Object token = make_handle(info.Env(), std::make_shared<CancelFlag>(), 0);
  add_method<CancelFlag>(token, "cancel", cancel);
  return token;
}

}  // namespace

void export_cancel_token(Napi::Env env, Napi::Object exports) {
  exports.Set("createCancelToken", Napi::Function::New(env, create_cancel_token, "createCancelToken"));
}

}  // namespace brain3d::napi
