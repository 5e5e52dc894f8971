#include "io/nifti/axis_map.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace brain3d::io {
namespace {

constexpr const char* kNegative = "LPI";
constexpr const char* kPositive = "RAS";

}  // namespace

AxisMap assign_axes(const std::array<std::array<double, 3>, 3>& directions) {
  auto rotation = directions;

  // Axes in order of how clearly they point somewhere (stable): the clearest chooses first.
  std::array<std::size_t, 3> order{0, 1, 2};
  const auto clarity = [&directions](std::size_t axis) {
    double best = 0;
    for (const auto& row : directions) best = std::max(best, row[axis] * row[axis]);
    return best;
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return clarity(a) > clarity(b); });

  AxisMap map;
  for (const std::size_t axis : order) {
    std::size_t best = 0;
    for (std::size_t row = 1; row < 3; ++row)
      if (std::abs(rotation[row][axis]) > std::abs(rotation[best][axis])) best = row;
    map.target[axis] = static_cast<int>(best);
    map.flip[axis] = rotation[best][axis] < 0;
    const double cosine = std::min(1.0, std::abs(directions[best][axis]));
    map.degrees[axis] = std::acos(cosine) * 180.0 / std::numbers::pi;
    map.oblique_degrees = std::max(map.oblique_degrees, map.degrees[axis]);
    rotation[best] = {0, 0, 0};
  }
  return map;
}

std::string axis_codes(const AxisMap& map) {
  std::string codes;
  for (std::size_t axis = 0; axis < 3; ++axis) codes += (map.flip[axis] ? kNegative : kPositive)[map.target[axis]];
  return codes;
}

}  // namespace brain3d::io
