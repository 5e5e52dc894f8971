#include "simulate/shape.h"

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace brain3d::simulate {

namespace {

// The skull holds the surface where it is: displacement fades within this depth (in units of Anatomy::depth).
constexpr double kSurface = 0.55, kDeep = 0.95;
// The distance to which pressure reaches beyond the core's surface.
constexpr double kPushReachMm = 45, kSqueezeReachMm = 22;
// The share of the squeeze that passes the falx into the other hemisphere.
constexpr double kBeyondFalx = 0.25, kFalxMm = 6;

double smoothstep(double from, double to, double x) {
  const double t = std::clamp((x - from) / (to - from), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

double dot(const double* row, const Point& p) { return row[0] * p[0] + row[1] * p[1] + row[2] * p[2]; }

double length(const Point& p) { return std::sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]); }

std::array<double, 9> product(const std::array<double, 9>& a, const std::array<double, 9>& b) {
  std::array<double, 9> out{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 3; ++k) out[3 * i + j] += a[3 * i + k] * b[3 * k + j];
  return out;
}

/// diag(1 / scale) * (R_s R_a R_r)^T
std::array<double, 9> inverse_linear(const ShapeSpec& spec) {
  std::array<double, 9> rotation{1, 0, 0, 0, 1, 0, 0, 0, 1};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double angle = spec.rotation_degrees[axis] * std::numbers::pi / 180;
    const std::size_t u = (axis + 1) % 3, v = (axis + 2) % 3;
    std::array<double, 9> turn{};
    turn[4 * axis] = 1;
    turn[4 * u] = turn[4 * v] = std::cos(angle);
    turn[3 * u + v] = -std::sin(angle);
    turn[3 * v + u] = std::sin(angle);
    rotation = product(turn, rotation);
  }
  std::array<double, 9> out{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) out[3 * i + j] = rotation[3 * j + i] / spec.scale[i];
  return out;
}

}  // namespace

Shape::Shape(const Anatomy& anatomy, const ShapeSpec& spec)
    : anatomy_(anatomy), spec_(spec), inverse_(inverse_linear(spec)), warp_{SmoothField(hash(spec.warp_seed, 0), 45),
                                                                            SmoothField(hash(spec.warp_seed, 1), 45),
                                                                            SmoothField(hash(spec.warp_seed, 2), 45),
                                                                            SmoothField(hash(spec.warp_seed, 3), 20),
                                                                            SmoothField(hash(spec.warp_seed, 4), 20),
                                                                            SmoothField(hash(spec.warp_seed, 5), 20)} {
  for (const double scale : spec.scale)
    B3D_CHECK(scale >= 0.5 && scale <= 2, Usage, "expected scales from 0.5 to 2, got ", scale);
}

Point Shape::to_linear(const Point& place) const {
  Point moved{};
  for (std::size_t axis = 0; axis < 3; ++axis) moved[axis] = place[axis] - spec_.translation_mm[axis];
  return {dot(&inverse_[0], moved), dot(&inverse_[3], moved), dot(&inverse_[6], moved)};
}

double Shape::sample_depth(const Point& place) const {
  const image::Vector index = anatomy_.coarse.index_of(place);
  return image::sample(anatomy_.depth, index[0], index[1], index[2]);
}

Point Shape::ventricle_slope(const Point& place) const {
  Point slope{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    Point before = place, after = place;
    before[axis] -= 1;
    after[axis] += 1;
    const image::Vector low = anatomy_.coarse.index_of(before), high = anatomy_.coarse.index_of(after);
    const auto& field = anatomy_.ventricles;
    // A plane wall blurred by 4 mm has a slope of 0.1 per mm, which times 10 is a direction of length 1.
    slope[axis] = 5 * static_cast<double>(image::sample(field, high[0], high[1], high[2]) -
                                          image::sample(field, low[0], low[1], low[2]));
  }
  return slope;
}

Point Shape::to_anatomy(const Point& place, const std::vector<MassEffect>& mass) const {
  Point at = place;
  double squeeze = spec_.ventricle_mm;
  if (!mass.empty()) {
    const Point linear = to_linear(place);
    const double hold = smoothstep(kSurface, kDeep, sample_depth(linear));
    for (const MassEffect& effect : mass) {
      Point away{};
      for (std::size_t axis = 0; axis < 3; ++axis) away[axis] = place[axis] - effect.centre_mm[axis];
      const double distance = length(away);
      const double beyond = std::max(0.0, distance - effect.radius_mm);
      const double across = smoothstep(-kFalxMm, kFalxMm, -linear[0] * effect.side);
      squeeze += effect.squeeze_mm * std::exp(-beyond / kSqueezeReachMm) * (1 - across * (1 - kBeyondFalx));
      if (distance < 1e-6) continue;
      const double inside = std::min(1.0, distance / effect.radius_mm);
      const double push = hold * effect.push_mm * inside * std::exp(-beyond / kPushReachMm);
      for (std::size_t axis = 0; axis < 3; ++axis) at[axis] -= push * away[axis] / distance;
    }
  }
  Point out = to_linear(at);
  if (spec_.warp_mm > 0) {
    Point warped = out;
    for (std::size_t axis = 0; axis < 3; ++axis)
      warped[axis] += spec_.warp_mm * (warp_[axis](out) + 0.25 * warp_[axis + 3](out));
    out = warped;
  }
  if (squeeze != 0) {
    const Point slope = ventricle_slope(out);
    for (std::size_t axis = 0; axis < 3; ++axis) out[axis] -= squeeze * slope[axis];
  }
  return out;
}

Point Shape::from_anatomy(const Point& place, const std::vector<MassEffect>& mass) const {
  // Transposed, the rotation is its own inverse; scales and displacements are close to 1 and 0, so it contracts.
  Point guess = spec_.translation_mm;
  for (int iteration = 0; iteration < 60; ++iteration) {
    const Point reached = to_anatomy(guess, mass);
    Point miss{};
    for (std::size_t axis = 0; axis < 3; ++axis) miss[axis] = place[axis] - reached[axis];
    if (length(miss) < 0.05) return guess;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      double step = 0;
      for (std::size_t row = 0; row < 3; ++row)
        step += inverse_[3 * row + axis] * miss[row] * spec_.scale[row] * spec_.scale[row];
      guess[axis] += 0.8 * step;
    }
  }
  fail(ErrorCode::Internal, "from_anatomy: no convergence; the shape folds");
}

}  // namespace brain3d::simulate
