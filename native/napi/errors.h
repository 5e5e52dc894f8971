// C++ failures as JavaScript errors.
#pragma once

#include <napi.h>

#include <exception>

#include "device/device.h"

namespace brain3d::napi {

/// An `Error` with `code` ("BRAIN3D_FORMAT"), and `file`, `field`, `offset` where they are known. Never throws C++
/// exceptions on; std::bad_alloc becomes BRAIN3D_OUT_OF_MEMORY, what else is no brain3d::Error BRAIN3D_INTERNAL.
Napi::Value to_js_error(Napi::Env env, const std::exception_ptr& failure);

/// Runs a synchronous method's body; a C++ failure becomes a JavaScript exception.
template <typename Body>
Napi::Value guarded(Napi::Env env, const Body& body) {
  try {
    Napi::Value result;
    with_torch_errors([&] { result = body(); });
    return result;
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, to_js_error(env, std::current_exception()));
  }
}

}  // namespace brain3d::napi
