#include "strip/background.h"

#include <algorithm>

#include "image/background.h"
#include "image/box.h"
#include "image/quantile.h"

namespace brain3d::strip {

namespace {

constexpr double kPlaneShare = 0.99;  // a few voxels may be a tool's undershoot
constexpr double kEdgeShare = 0.5;
constexpr std::size_t kMaxValues = 8;  // a background, and another padding on each of six sides

/// The voxels of the box `part`.
void append(LargeVector<float>& out, const image::Image<float>& volume, const image::Box& part) {
  for (std::int64_t d = part.begin[0]; d < part.end[0]; ++d)
    for (std::int64_t h = part.begin[1]; h < part.end[1]; ++h) {
      const float* row = &volume(d, h, 0);
      out.insert(out.end(), row + part.begin[2], row + part.end[2]);
    }
}

/// The outermost plane of `box` across `axis`, the first or the last.
image::Box plane_of(const image::Box& box, std::size_t axis, bool is_last) {
  image::Box plane = box;
  if (is_last)
    plane.begin[axis] = box.end[axis] - 1;
  else
    plane.end[axis] = box.begin[axis] + 1;
  return plane;
}

struct Majority {
  float value = 0;
  double share = 0;  // the share of `value`, which is the most common one if this is above a half
};

/// Boyer and Moore's vote: one pass, and one to count.
Majority majority(const LargeVector<float>& values) {
  Majority out;
  std::int64_t lead = 0;
  for (const float value : values) {
    if (lead == 0) out.value = value;
    lead += value == out.value ? 1 : -1;
  }
  out.share =
      static_cast<double>(std::count(values.begin(), values.end(), out.value)) / static_cast<double>(values.size());
  return out;
}

LargeVector<float> voxels_in(const image::Image<float>& volume, const image::Mask& mask) {
  LargeVector<float> out;
  out.reserve(static_cast<std::size_t>(std::count(mask.voxels.begin(), mask.voxels.end(), 1)));
  for (std::size_t i = 0; i < mask.voxels.size(); ++i)
    if (mask.voxels[i] != 0) out.push_back(volume.voxels[i]);
  return out;
}

/// Takes outermost planes of one value off `box` until there is none; adds their values.
void peel(const image::Image<float>& volume, image::Box& box, LargeVector<float>& values) {
  LargeVector<float> plane;
  for (bool is_smaller = true; is_smaller;) {
    is_smaller = false;
    for (std::size_t axis = 0; axis < 3; ++axis)
      for (const bool is_last : {false, true}) {
        if (image::count(box.size()) == 0) return;
        plane.clear();
        append(plane, volume, plane_of(box, axis, is_last));
        const auto [value, share] = majority(plane);
        if (share < kPlaneShare) continue;
        const bool is_known = std::find(values.begin(), values.end(), value) != values.end();
        if (!is_known && values.size() == kMaxValues) return;
        if (!is_known) values.push_back(value);
        is_last ? --box.end[axis] : ++box.begin[axis];
        is_smaller = true;
      }
  }
}

}  // namespace

Background find_background(const image::Image<float>& volume) {
  Background out;
  image::Box box{{0, 0, 0}, volume.size};
  peel(volume, box, out.values);
  if (image::count(box.size()) > 0) {
    LargeVector<float> faces;
    for (std::size_t axis = 0; axis < 3; ++axis)
      for (const bool is_last : {false, true}) append(faces, volume, plane_of(box, axis, is_last));
    const auto [value, share] = majority(faces);
    if (share >= kEdgeShare && std::find(out.values.begin(), out.values.end(), value) == out.values.end())
      out.values.push_back(value);
  }
  if (out.values.empty()) return out;
  out.foreground = image::Mask(volume.size, volume.spacing_mm, 1);
  for (const float value : out.values)
    for (std::size_t i = 0; i < out.foreground.voxels.size(); ++i)
      if (volume.voxels[i] == value) out.foreground.voxels[i] = 0;
  return out;
}

bool is_scanners(const Background& background, const image::Image<float>& volume) {
  LargeVector<float> rest = voxels_in(volume, background.foreground);
  if (rest.empty()) return true;
  const double low = image::percentile(rest, 1), high = image::percentile(rest, 99);
  if (high <= low) return true;  // nothing but the background makes a picture of it
  return std::all_of(background.values.begin(), background.values.end(),
                     [&](float value) { return value <= low && value >= low - (high - low); });
}

float dark_level(const image::Image<float>& volume, const image::Mask& foreground) {
  LargeVector<float> inside = voxels_in(volume, foreground);
  return image::background_level(image::percentile(inside, 1), image::percentile(inside, 99));
}

void darken(image::Image<float>& volume, const image::Mask& foreground, float level) {
  for (std::size_t i = 0; i < volume.voxels.size(); ++i)
    if (foreground.voxels[i] == 0) volume.voxels[i] = level;
}

}  // namespace brain3d::strip
