// Plain voxel arrays: what brain extraction and the simulator work on. No torch, so that they build in seconds.
//
// Axes are those of a canonical volume: array (D, H, W), D to Superior, H to Anterior, W to the patient's Right.
// Positions are voxel indices in that order; (0, 0, 0) is the centre of the first voxel.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/large_memory.h"

namespace brain3d::image {

/// The voxel at (d, h, w).
using Size = std::array<std::int64_t, 3>;
using Vector = std::array<double, 3>;

inline std::size_t count(const Size& size) { return static_cast<std::size_t>(size[0] * size[1] * size[2]); }

template <typename T>
struct Image {
  Size size{};
  Vector spacing_mm{1, 1, 1};
  LargeVector<T> voxels;  // row-major, W fastest

  Image() = default;
  Image(const Size& sides, const Vector& spacing, T value = T{})
      : size(sides), spacing_mm(spacing), voxels(count(sides), value) {}

  std::size_t index(std::int64_t d, std::int64_t h, std::int64_t w) const {
    return static_cast<std::size_t>((d * size[1] + h) * size[2] + w);
  }
  T& operator()(std::int64_t d, std::int64_t h, std::int64_t w) { return voxels[index(d, h, w)]; }
  const T& operator()(std::int64_t d, std::int64_t h, std::int64_t w) const { return voxels[index(d, h, w)]; }

  bool contains(std::int64_t d, std::int64_t h, std::int64_t w) const {
    return d >= 0 && h >= 0 && w >= 0 && d < size[0] && h < size[1] && w < size[2];
  }
};

/// 0 outside, 1 inside.
using Mask = Image<std::uint8_t>;

/// Trilinear value at a fractional index; outside the array, the nearest voxel's. Most of the time of brain extraction
/// and simulation is spent here, hence inline whatever the compiler thinks of its size.
template <typename T>
[[gnu::always_inline]] inline float sample(const Image<T>& image, double d, double h, double w) {
  const std::array<double, 3> at{d, h, w};
  const std::array<std::int64_t, 3> stride{image.size[1] * image.size[2], image.size[2], 1};
  std::array<std::int64_t, 3> low{}, high{};
  std::array<float, 3> weight{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t last = image.size[axis] - 1;
    const double inside = std::clamp(at[axis], 0.0, static_cast<double>(last));
    const auto below = static_cast<std::int64_t>(inside);
    weight[axis] = static_cast<float>(inside - static_cast<double>(below));
    low[axis] = below * stride[axis];
    high[axis] = std::min(below + 1, last) * stride[axis];
  }
  const T* voxels = image.voxels.data();
  const auto mix = [](float a, float b, float share) { return a + (b - a) * share; };
  const auto row = [&](std::int64_t begin) {
    return mix(static_cast<float>(voxels[begin + low[2]]), static_cast<float>(voxels[begin + high[2]]), weight[2]);
  };
  const auto plane = [&](std::int64_t begin) { return mix(row(begin + low[1]), row(begin + high[1]), weight[1]); };
  return mix(plane(low[0]), plane(high[0]), weight[0]);
}

}  // namespace brain3d::image
