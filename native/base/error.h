// The one error type of the core. No torch, no Node: parsers and the seam share it.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace brain3d {

/// Stable codes; the text after "BRAIN3D_" in JavaScript. Codes are API, messages are not.
enum class ErrorCode {
  Usage,        // an argument outside its range
  NotFound,     // a file or directory that is not there
  Io,           // the operating system refused or failed
  Format,       // bytes that are not what their format says
  Unsupported,  // well-formed, but not something brain3d reads
  Orientation,  // a volume whose patient axes are unknown or contradictory
  Volume,       // a volume that cannot be an image: constant, non-finite, empty
  Config,       // a model configuration that is incomplete or contradictory
  Weights,      // missing, unexpected or mis-shaped tensors
  Shape,        // tensor sizes that do not fit together
  Device,       // a device that is not there or failed
  OutOfMemory,
  Cancelled,
  Disposed,
  Internal,
};

/// "FORMAT", "OUT_OF_MEMORY", ...
const char* error_code_name(ErrorCode code);

/// An error says in words what went wrong and what to do, and in its detail where. `file` is a base name: a path may
/// identify a patient.
struct ErrorDetail {
  std::string file = {};
  std::string field = {};
  std::int64_t offset = -1;
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, ErrorDetail detail = {})
      : std::runtime_error(message), code_(code), detail_(std::move(detail)) {}

  ErrorCode code() const noexcept { return code_; }
  const ErrorDetail& detail() const noexcept { return detail_; }

 private:
  ErrorCode code_;
  ErrorDetail detail_;
};

/// The message for a failed allocation of which nothing more is known.
inline constexpr const char* kOutOfMemoryText =
    "the process could not allocate memory; free memory or use a smaller input";

/// Joins its arguments with operator<<.
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  out.exceptions(std::ios_base::badbit);  // else a text for which memory runs out would end in mid-sentence
  (out << ... << parts);
  return out.str();
}

template <typename... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, concat(parts...));
}

}  // namespace brain3d

/// Throws `brain3d::Error` with the given code and concatenated message parts unless `condition` holds.
#define B3D_CHECK(condition, code, ...)                                         \
  do {                                                                          \
    if (!(condition)) ::brain3d::fail(::brain3d::ErrorCode::code, __VA_ARGS__); \
  } while (false)
