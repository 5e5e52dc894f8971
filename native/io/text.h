// Text out of untrusted files: what may be shown, and what may be a file name.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace brain3d::io {

/// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

/// True if `text` has a C0 control character or DEL.
bool has_control_characters(std::string_view text);

/// `text` fit for a message or a terminal: bytes that are not UTF-8, control characters and characters that change
/// the direction of writing become \xNN, and what exceeds `max_bytes` is replaced by "...".
std::string printable(std::string_view text, std::size_t max_bytes = 160);

}  // namespace brain3d::io
