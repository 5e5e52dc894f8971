// Fixed-size numbers out of and into byte buffers, in the byte order a format asks for.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace brain3d::io {

// Tensor bytes go from file to memory unchanged, and every format read here stores them little-endian.
static_assert(std::endian::native == std::endian::little, "brain3d runs on little-endian machines only");

/// Reads a T stored at `at` (no alignment needed); `swap` reverses its bytes first.
template <typename T>
T load(const std::byte* at, bool swap = false) {
  std::array<std::byte, sizeof(T)> bytes;
  std::memcpy(bytes.data(), at, sizeof(T));
  if (swap) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

/// Stores `value` little-endian at `at` (no alignment needed).
template <typename T>
void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof(T));
}

/// a * b and a + b, or nothing where the result does not fit.
inline std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

inline std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

}  // namespace brain3d::io
