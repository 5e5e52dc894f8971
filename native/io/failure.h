// The one call by which readers refuse a file: it puts the file's name in the message and the place in the detail.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/error.h"

namespace brain3d::io {

/// Throws Error(code) with the message "<detail.file>: <parts...>".
template <typename... Parts>
[[noreturn]] void fail_at(ErrorCode code, ErrorDetail detail, const Parts&... parts) {
  std::string message = concat(detail.file, ": ", parts...);
  throw Error(code, message, std::move(detail));
}

/// An offset in a file as ErrorDetail keeps it.
inline std::int64_t detail_offset(std::uint64_t offset) { return static_cast<std::int64_t>(offset); }

}  // namespace brain3d::io
