// Strict JSON for untrusted files.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace brain3d::io {

using Json = nlohmann::json;

inline constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;
inline constexpr int kMaxJsonDepth = 32;
/// Bounds the memory of a parsed document, which can be fifty times its text: "{}," is an allocated object. The bound
/// that every refusal keeps, 64 MiB, less the text itself.
inline constexpr std::uint64_t kMaxJsonMemoryBytes = std::uint64_t{44} << 20;

/// Parses RFC 8259 JSON in UTF-8: no byte order mark, no duplicate keys, nothing after the value but white space,
/// at most `max_depth` nested objects and arrays.
/// Throws Format, naming `name` and the byte where it stopped; the text itself is never quoted.
Json parse_json(std::string_view text, const std::string& name, int max_depth = kMaxJsonDepth);

/// Throws as File and parse_json do, and Format if the file has more than `max_bytes` bytes.
Json read_json(const std::string& path, std::uint64_t max_bytes = kMaxConfigBytes);

}  // namespace brain3d::io
