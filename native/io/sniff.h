// Recognises files of other formats than NIfTI, so that the message can name them.
#pragma once

#include <cstddef>
#include <span>

namespace brain3d::io {

/// "a zip archive; unpack it", ... by the first bytes of a file (at least 262 of them, where it has so many), with what
/// to do, or null if they are none of the known ones.
const char* foreign_content(std::span<const std::byte> start);

}  // namespace brain3d::io
