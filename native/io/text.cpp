#include "io/text.h"

#include <cstdint>

namespace brain3d::io {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // 0: not UTF-8
};

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
  const std::uint8_t first = byte(at);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() - at < length) return {};
  std::uint32_t value = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80) return {};
    value = (value << 6) | (byte(at + i) & 0x3FU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {};
  return {value, length};
}

// Control characters can drive a terminal; direction marks can make a name read as another one.
bool is_showable(std::uint32_t value) {
  if (value < 0x20 || (value >= 0x7F && value < 0xA0)) return false;
  const bool marks_direction = (value >= 0x200E && value <= 0x200F) || (value >= 0x2028 && value <= 0x202E) ||
                               (value >= 0x2066 && value <= 0x2069) || value == 0x061C;
  return !marks_direction && value != 0xFEFF;
}

void append_escaped(std::string& out, std::uint8_t byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15U];
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (point.length == 0) return false;
    at += point.length;
  }
  return true;
}

bool has_control_characters(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x20 || byte == 0x7F) return true;
  }
  return false;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (out.size() >= max_bytes) return out + "...";
    const CodePoint point = decode_utf8(text, at);
    const std::size_t length = point.length == 0 ? 1 : point.length;
    if (point.length != 0 && is_showable(point.value)) {
      out += text.substr(at, length);
    } else {
      for (std::size_t i = 0; i < length; ++i) append_escaped(out, static_cast<std::uint8_t>(text[at + i]));
    }
    at += length;
  }
  return out;
}

}  // namespace brain3d::io
