// Fewer voxels by whole blocks, of a grid that has more than a job needs.
#pragma once

#include "image/image.h"

namespace brain3d::image {

/// The number of voxels that go into one along each axis, so that a volume of more than 256^3 voxels keeps about 1 mm;
/// all 1 for one of fewer.
inline Size working_factors(const Size& size, const Vector& spacing_mm) {
  constexpr std::size_t kEnoughVoxels = std::size_t{1} << 24;
  constexpr double kWorkMm = 1;
  Size factors{1, 1, 1};
  if (count(size) <= kEnoughVoxels) return factors;
  for (std::size_t axis = 0; axis < 3; ++axis)
    factors[axis] = std::max<std::int64_t>(1, std::llround(std::floor(kWorkMm / spacing_mm[axis] + 1e-6)));
  return factors;
}

/// The mean of `value(index)` over each block, of which the last along an axis may be smaller. Block b begins at voxel
/// b * factor. Needs no copy of the volume.
template <typename Value>
Image<float> block_means(const Size& size, const Vector& spacing_mm, const Size& factors, const Value& value) {
  Size blocks{};
  Vector spacing{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    blocks[axis] = (size[axis] + factors[axis] - 1) / factors[axis];
    spacing[axis] = spacing_mm[axis] * static_cast<double>(factors[axis]);
  }
  Image<float> out(blocks, spacing);
  std::size_t index = 0;
  for (std::int64_t d = 0; d < size[0]; ++d)
    for (std::int64_t h = 0; h < size[1]; ++h) {
      float* row = &out(d / factors[0], h / factors[1], 0);
      for (std::int64_t w = 0; w < size[2]; ++w, ++index) row[w / factors[2]] += static_cast<float>(value(index));
    }
  if (factors == Size{1, 1, 1}) return out;
  const auto length = [&](std::size_t axis, std::int64_t block) {
    return static_cast<float>(std::min(factors[axis], size[axis] - block * factors[axis]));
  };
  for (std::int64_t d = 0; d < blocks[0]; ++d)
    for (std::int64_t h = 0; h < blocks[1]; ++h)
      for (std::int64_t w = 0; w < blocks[2]; ++w) out(d, h, w) /= length(0, d) * length(1, h) * length(2, w);
  return out;
}

}  // namespace brain3d::image
