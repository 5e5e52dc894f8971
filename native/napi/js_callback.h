// Callbacks from the computing thread into JavaScript.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "napi/addon_data.h"
#include "napi/promise_task.h"

namespace brain3d::napi {

/// A callback that reaches JavaScript from the computing thread; empty if the caller gave none.
/// `convert` makes the arguments, on the JavaScript thread, after `held` has kept the function alive until then.
template <typename... Args, typename Convert>
std::function<void(Args...)> js_callback(const Napi::Value& value, const std::shared_ptr<Held>& held,
                                         const CancelHandle& cancel, Convert convert) {
  if (!value.IsFunction()) return {};
  const std::size_t index = held->add(value);
  AddonData& addon = AddonData::of(value.Env());
  return [&addon, held, cancel, index, convert](Args... args) {
    addon.post_to_js([held, cancel, index, convert, args...](Napi::Env env) {
      if (env == nullptr || held->thrown) return;
      const Napi::HandleScope scope(env);
      try {
        held->get(index).As<Napi::Function>().Call(convert(env, args...));
      } catch (const Napi::Error& error) {  // must not unwind through Node; ends the work and becomes its rejection
        held->thrown = error;
        cancel->cancel();
      }
    });
  };
}

/// `onProgress(stage, done, total)` of a load; empty if the caller gave none.
inline std::function<void(const std::string&, std::int64_t, std::int64_t)> stage_progress_callback(
    const Napi::Value& value, const std::shared_ptr<Held>& held, const CancelHandle& cancel) {
  return js_callback<std::string, std::int64_t, std::int64_t>(
      value, held, cancel,
      [](Napi::Env env, const std::string& stage, const std::int64_t& done, const std::int64_t& total) {
        return std::vector<napi_value>{Napi::String::New(env, stage), Napi::Number::New(env, static_cast<double>(done)),
                                       Napi::Number::New(env, static_cast<double>(total))};
      });
}

}  // namespace brain3d::napi
