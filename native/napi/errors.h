// C++ failures as JavaScript errors.
#pragma once

#include <napi.h>

#include <exception>

namespace brain3d::napi {

/// An `Error` with `code` ("BRAIN3D_FORMAT"), and `file`, `field`, `offset` where they are known. Never throws C++
/// exceptions on; what is no brain3d::Error becomes BRAIN3D_INTERNAL.
Napi::Value to_js_error(Napi::Env env, const std::exception_ptr& failure);

/// Runs a synchronous method's body; a C++ failure becomes a JavaScript exception.
template <typename Body>
Napi::Value guarded(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, to_js_error(env, std::current_exception()));
  }
}

}  // namespace brain3d::napi
