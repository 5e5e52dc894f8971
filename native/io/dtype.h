// Element types of stored tensors, under the names the safetensors format gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brain3d::io {

enum class DType { Bool, U8, I8, U16, I16, F16, BF16, U32, I32, F32, U64, I64, F64 };

/// Bytes of one element.
std::size_t dtype_bytes(DType dtype);
/// "F32", "BF16", "BOOL", ...
const char* dtype_name(DType dtype);
/// The type called `name`, exactly, or nothing.
std::optional<DType> dtype_from_name(std::string_view name);
/// True for names the format knows but brain3d does not read: 8-bit and smaller floats, complex numbers.
bool is_unread_dtype_name(std::string_view name);

inline constexpr std::size_t kMaxRank = 8;
/// No tensor has an axis this long. Without the bound a shape like [0, 2^63] would pass as zero bytes.
inline constexpr std::int64_t kMaxAxisLength = std::int64_t{1} << 40;

/// Bytes of a contiguous tensor, or nothing if the rank exceeds kMaxRank, an axis is negative or longer than
/// kMaxAxisLength, or the product does not fit 64 bits.
std::optional<std::uint64_t> tensor_bytes(DType dtype, const std::vector<std::int64_t>& shape);

/// "[2, 3]"
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace brain3d::io
