#include "strip/localise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/large_memory.h"
#include "image/components.h"
#include "image/filter.h"
#include "image/quantile.h"
#include "image/vector.h"

namespace brain3d::strip {

using image::operator+, image::operator-, image::operator*;

namespace {

constexpr double kCoarseMm = 2;
constexpr double kBlur = 0.4;           // sigma in coarse voxels, against aliasing
constexpr double kTopAreaMm2 = 500;     // the area of the highest plane that counts as head, not as noise or a cap
constexpr double kBrainHeightMm = 130;  // from the scalp: what lies deeper is face and neck
constexpr double kBrainCentreMm = 78;   // below the scalp
constexpr double kBrainRadiusMm = 70;   // at most; of a ball of 1.4 l
constexpr double kLowShare = 0.02, kHighShare = 0.98;

Vector position(const Vector& spacing, std::int64_t d, std::int64_t h, std::int64_t w) {
  return {static_cast<double>(d) * spacing[0], static_cast<double>(h) * spacing[1],
          static_cast<double>(w) * spacing[2]};
}

template <typename Visit>
void for_each_voxel(const image::Size& size, std::int64_t from_plane, std::int64_t to_plane, const Visit& visit) {
  for (std::int64_t d = from_plane; d < to_plane; ++d)
    for (std::int64_t h = 0; h < size[1]; ++h)
      for (std::int64_t w = 0; w < size[2]; ++w) visit(d, h, w);
}

double ball_radius(double volume) { return std::cbrt(volume * 3 / (4 * std::numbers::pi)); }

/// The highest plane with a head's area in it; -1 if there is none.
std::int64_t top_plane(const image::Mask& head) {
  const std::int64_t plane = head.size[1] * head.size[2];
  const double pixel = head.spacing_mm[1] * head.spacing_mm[2];
  for (std::int64_t d = head.size[0] - 1; d >= 0; --d) {
    const auto begin = head.voxels.begin() + d * plane;
    if (static_cast<double>(std::count(begin, begin + plane, 1)) * pixel > kTopAreaMm2) return d;
  }
  return -1;
}

[[noreturn]] void fail_without_head() {
  fail(ErrorCode::Volume,
       "expected a head, got a volume in which nothing stands out from the background; look at it in a viewer");
}

}  // namespace

image::Image<float> coarse_head(const image::Image<float>& head) {
  Vector sigma{};
  image::Size size{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double extent = head.spacing_mm[axis] * static_cast<double>(head.size[axis]);
    size[axis] = std::max<std::int64_t>(1, std::llround(extent / kCoarseMm));
    sigma[axis] = head.spacing_mm[axis] < kCoarseMm ? kBlur * kCoarseMm : 0;
  }
  return image::resample(image::gaussian_blur(head, sigma), size);
}

Sphere rough_brain(const image::Image<float>& head) {
  LargeVector<float> values = head.voxels;
  Levels levels;
  levels.low = image::quantile(values, kLowShare);
  levels.high = image::quantile(values, kHighShare);
  image::Mask bright(head.size, head.spacing_mm);
  for (std::size_t i = 0; i < bright.voxels.size(); ++i) bright.voxels[i] = head.voxels[i] > levels.head() ? 1 : 0;
  bright = image::largest_component(bright);
  const std::int64_t top = top_plane(bright);
  if (top < 0) fail_without_head();

  const double spacing = head.spacing_mm[0];
  const std::int64_t bottom = std::max<std::int64_t>(0, top + 1 - std::llround(kBrainHeightMm / spacing));
  Vector sum{};
  double weight = 0, volume = 0;
  for_each_voxel(head.size, bottom, top + 1, [&](std::int64_t d, std::int64_t h, std::int64_t w) {
    if (bright(d, h, w) == 0) return;
    const double mass = std::min(head(d, h, w), levels.high) - levels.low;
    sum = sum + position(head.spacing_mm, d, h, w) * mass;
    weight += mass;
    volume += head.spacing_mm[0] * head.spacing_mm[1] * head.spacing_mm[2];
  });
  Sphere out{sum * (1 / weight), std::min(ball_radius(volume), kBrainRadiusMm)};
  // A slab may not reach so far down; then its middle is taken.
  const double scanned = static_cast<double>(top - bottom) * spacing;
  out.centre[0] = static_cast<double>(top) * spacing - std::min(kBrainCentreMm, scanned / 2);
  return out;
}

Levels levels_in(const image::Image<float>& head, const Sphere& sphere) {
  LargeVector<float> values;
  for_each_voxel(head.size, 0, head.size[0], [&](std::int64_t d, std::int64_t h, std::int64_t w) {
    const Vector away = position(head.spacing_mm, d, h, w) - sphere.centre;
    if (image::dot(away, away) < sphere.radius_mm * sphere.radius_mm) values.push_back(head(d, h, w));
  });
  if (values.empty()) fail_without_head();
  Levels out;
  out.low = image::quantile(values, kLowShare);
  out.high = image::quantile(values, kHighShare);
  std::erase_if(values, [&](float value) { return value <= out.low || value >= out.high; });
  if (values.empty()) fail_without_head();
  out.median = image::quantile(values, 0.5);
  return out;
}

Sphere equivalent_sphere(const image::Mask& mask) {
  Vector sum{};
  double count = 0;
  for_each_voxel(mask.size, 0, mask.size[0], [&](std::int64_t d, std::int64_t h, std::int64_t w) {
    if (mask(d, h, w) == 0) return;
    sum = sum + position(mask.spacing_mm, d, h, w);
    count += 1;
  });
  if (count == 0) fail_without_head();
  const auto& s = mask.spacing_mm;
  return {sum * (1 / count), ball_radius(count * s[0] * s[1] * s[2])};
}

}  // namespace brain3d::strip
