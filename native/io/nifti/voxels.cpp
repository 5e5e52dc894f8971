#include "io/nifti/voxels.h"

#include <type_traits>

#include "io/bytes.h"

namespace brain3d::io {
namespace {

constexpr std::int64_t kExactInteger = std::int64_t{1} << 53;

template <typename T>
bool is_exact(T value) {
  if constexpr (std::is_same_v<T, std::int64_t>) return value >= -kExactInteger && value <= kExactInteger;
  if constexpr (std::is_same_v<T, std::uint64_t>) return value <= static_cast<std::uint64_t>(kExactInteger);
  return true;
}

template <typename T>
bool convert(const NiftiHeader& header, const std::byte* raw, std::size_t count, float* out) {
  const double slope = header.slope;
  const double inter = header.inter;
  for (std::size_t i = 0; i < count; ++i) {
    const T value = load<T>(raw + i * sizeof(T), header.big_endian);
    if (!is_exact(value)) return false;
    out[i] = static_cast<float>(static_cast<double>(value) * slope + inter);
  }
  return true;
}

}  // namespace

bool convert_voxels(const NiftiHeader& header, const std::byte* raw, std::size_t count, float* out) {
  switch (header.datatype->code) {
    case 2: return convert<std::uint8_t>(header, raw, count, out);
    case 4: return convert<std::int16_t>(header, raw, count, out);
    case 8: return convert<std::int32_t>(header, raw, count, out);
    case 16: return convert<float>(header, raw, count, out);
    case 64: return convert<double>(header, raw, count, out);
    case 256: return convert<std::int8_t>(header, raw, count, out);
    case 512: return convert<std::uint16_t>(header, raw, count, out);
    case 768: return convert<std::uint32_t>(header, raw, count, out);
    case 1024: return convert<std::int64_t>(header, raw, count, out);
    case 1280: return convert<std::uint64_t>(header, raw, count, out);
    default: break;
  }
  return false;
}

}  // namespace brain3d::io
