// Strict JSON for untrusted files.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace brain3d::io {

/// The same as std::allocator. A name of its own makes Json a class of its own, whose destruction is defined below.
template <typename T>
struct JsonAllocator : std::allocator<T> {
  JsonAllocator() = default;
  template <typename U>
  explicit JsonAllocator(const JsonAllocator<U>& /*other*/) noexcept {}
};

using Json =
    nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double, JsonAllocator>;

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

// The library's own definition allocates a list of what it destroys, in a destructor: without memory the process ends.
// It does so for documents of any depth; ours have at most kMaxJsonDepth levels, so that recursion is safe.
static_assert(NLOHMANN_JSON_VERSION_MAJOR == 3 && NLOHMANN_JSON_VERSION_MINOR == 11 && NLOHMANN_JSON_VERSION_PATCH == 2,
              "compare this with the library's basic_json::json_value::destroy");
template <>
inline void brain3d::io::Json::json_value::destroy(value_t t) {
  const auto release = [](auto* value) {
    std::destroy_at(value);
    brain3d::io::JsonAllocator<std::remove_pointer_t<decltype(value)>>().deallocate(value, 1);
  };
  switch (t) {
    case value_t::object: return release(object);
    case value_t::array: return release(array);
    case value_t::string: return release(string);
    case value_t::binary: return release(binary);
    default: return;
  }
}
