#include "napi/errors.h"

#include <new>
#include <string>

#include "base/error.h"

namespace brain3d::napi {

namespace {

Napi::Object make_error(Napi::Env env, const std::string& message, ErrorCode code) {
  Napi::Object error = Napi::Error::New(env, message).Value();
  error.Set("code", std::string("BRAIN3D_") + error_code_name(code));
  return error;
}

}  // namespace

Napi::Value to_js_error(Napi::Env env, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    Napi::Object out = make_error(env, error.what(), error.code());
    const ErrorDetail& detail = error.detail();
    if (!detail.file.empty()) out.Set("file", detail.file);
    if (!detail.field.empty()) out.Set("field", detail.field);
    if (detail.offset >= 0) out.Set("offset", static_cast<double>(detail.offset));
    return out;
  } catch (const std::bad_alloc&) {
    return make_error(env, kOutOfMemoryText, ErrorCode::OutOfMemory);
  } catch (const std::exception& error) {
    return make_error(env, error.what(), ErrorCode::Internal);
  } catch (...) {
    return make_error(env, "an unknown native failure", ErrorCode::Internal);
  }
}

}  // namespace brain3d::napi
