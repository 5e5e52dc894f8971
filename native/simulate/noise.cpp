#include "simulate/noise.h"

#include <cmath>
#include <cstddef>

namespace brain3d::simulate {

namespace {

constexpr double kPeriodMm = 400;
// A cubic B-spline of independent unit deviates has variance 151/315 along each axis, on average over a cell.
const double kToUnitDeviation = std::sqrt(315.0 * 315.0 * 315.0 / (151.0 * 151.0 * 151.0));

std::array<double, 4> spline_weights(double t) {
  const double s = 1 - t;
  return {s * s * s / 6, (3 * t * t * t - 6 * t * t + 4) / 6, (3 * s * s * s - 6 * s * s + 4) / 6, t * t * t / 6};
}

std::int64_t wrap(std::int64_t index, std::int64_t period) {
  const std::int64_t rest = index % period;
  return rest < 0 ? rest + period : rest;
}

}  // namespace

std::uint64_t hash(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

SmoothField::SmoothField(std::uint64_t seed, double spacing_mm)
    : spacing_mm_(spacing_mm),
      period_(static_cast<std::int64_t>(std::ceil(kPeriodMm / spacing_mm))),
      lattice_(static_cast<std::size_t>(period_ * period_ * period_)) {
  for (std::size_t i = 0; i < lattice_.size(); ++i) lattice_[i] = deviate(hash(seed, i));
}

double SmoothField::operator()(const Point& place_mm) const {
  std::array<std::array<std::int64_t, 4>, 3> index{};
  std::array<std::array<double, 4>, 3> weights{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double at = place_mm[axis] / spacing_mm_, cell = std::floor(at);
    weights[axis] = spline_weights(at - cell);
    for (std::int64_t i = 0; i < 4; ++i)
      index[axis][static_cast<std::size_t>(i)] = wrap(static_cast<std::int64_t>(cell) - 1 + i, period_);
  }
  double sum = 0;
  for (std::size_t k = 0; k < 4; ++k)
    for (std::size_t j = 0; j < 4; ++j) {
      const float* row = lattice_.data() + (index[2][k] * period_ + index[1][j]) * period_;
      double along = 0;
      for (std::size_t i = 0; i < 4; ++i) along += weights[0][i] * static_cast<double>(row[index[0][i]]);
      sum += weights[2][k] * weights[1][j] * along;
    }
  return sum * kToUnitDeviation;
}

}  // namespace brain3d::simulate
