#include "io/dtype.h"

#include <algorithm>
#include <array>

#include "io/bytes.h"

namespace brain3d::io {
namespace {

struct Row {
  DType dtype;
  const char* name;
  std::size_t bytes;
};

constexpr std::array<Row, 13> kRows{{
    {DType::Bool, "BOOL", 1},
    {DType::U8, "U8", 1},
    {DType::I8, "I8", 1},
    {DType::U16, "U16", 2},
    {DType::I16, "I16", 2},
    {DType::F16, "F16", 2},
    {DType::BF16, "BF16", 2},
    {DType::U32, "U32", 4},
    {DType::I32, "I32", 4},
    {DType::F32, "F32", 4},
    {DType::U64, "U64", 8},
    {DType::I64, "I64", 8},
    {DType::F64, "F64", 8},
}};

constexpr bool in_enum_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].dtype) != i) return false;
  }
  return true;
}
static_assert(in_enum_order(), "the table is indexed by DType");

const Row& row(DType dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

// safetensors 0.8.0, Dtype.
constexpr std::array<std::string_view, 11> kUnreadNames{
    "F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64", "C128", "F8"};

}  // namespace

std::size_t dtype_bytes(DType dtype) { return row(dtype).bytes; }

const char* dtype_name(DType dtype) { return row(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const Row& candidate : kRows) {
    if (name == candidate.name) return candidate.dtype;
  }
  return std::nullopt;
}

bool is_unread_dtype_name(std::string_view name) {
  return std::find(kUnreadNames.begin(), kUnreadNames.end(), name) != kUnreadNames.end();
}

std::optional<std::uint64_t> tensor_bytes(DType dtype, const std::vector<std::int64_t>& shape) {
  if (shape.size() > kMaxRank) return std::nullopt;
  std::optional<std::uint64_t> bytes = dtype_bytes(dtype);
  for (const std::int64_t length : shape) {
    if (length < 0 || length > kMaxAxisLength) return std::nullopt;
    bytes = checked_multiply(*bytes, static_cast<std::uint64_t>(length));
    if (!bytes) return std::nullopt;
  }
  return bytes;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace brain3d::io
