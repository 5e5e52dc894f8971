// Random numbers and smooth random fields that depend on seed and place only, in whatever order they are asked for.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace brain3d::simulate {

/// Right, Anterior, Superior, in mm.
using Point = std::array<double, 3>;

/// 64 well-mixed bits of a seed and an index (splitmix64's finaliser).
std::uint64_t hash(std::uint64_t seed, std::uint64_t index);

/// A deviate of mean 0 and standard deviation 1, within +-3.5, from 64 bits: the sum of four uniform ones. Integer
/// arithmetic, so that it is the same with every mathematics library.
inline float deviate(std::uint64_t bits) {
  const auto sum =
      static_cast<std::int32_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48));
  constexpr float kToUnitDeviation = 1.7320508F / 65536;  // the variance of the sum is 4/12
  return static_cast<float>(sum - 2 * 65535) * kToUnitDeviation;
}

/// A smooth random function of place with mean 0 and standard deviation near 1: deviates on a lattice of `spacing_mm`,
/// between them a cubic B-spline. It repeats beyond a cube of 400 mm.
class SmoothField {
 public:
  SmoothField(std::uint64_t seed, double spacing_mm);
  double operator()(const Point& place_mm) const;

 private:
  double spacing_mm_;
  std::int64_t period_;
  std::vector<float> lattice_;
};

}  // namespace brain3d::simulate
