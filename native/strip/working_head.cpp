#include "strip/working_head.h"

#include <algorithm>
#include <cmath>

#include "core/large_memory.h"
#include "image/filter.h"
#include "image/quantile.h"

namespace brain3d::strip {

namespace {

constexpr double kLowShare = 0.001, kHighShare = 0.999;
constexpr std::size_t kMaxSamples = std::size_t{1} << 22;  // of the voxels, for their range
constexpr std::size_t kMaxVoxels = std::size_t{1} << 24;   // 256^3: fewer are worked on as they are
constexpr double kWorkMm = 1;
constexpr double kBlur = 0.4;  // sigma in working voxels, against aliasing

struct Range {
  double low, high;
};

/// Where nearly all voxels lie, and as much again on either side: fat and vessels are within it.
Range plausible_range(const image::Image<float>& head) {
  LargeVector<float> sample;
  const std::size_t step = head.voxels.size() / kMaxSamples + 1;
  for (std::size_t i = 0; i < head.voxels.size(); i += step) sample.push_back(head.voxels[i]);
  const double low = image::quantile(sample, kLowShare), high = image::quantile(sample, kHighShare);
  return {low - (high - low), high + (high - low)};
}

}  // namespace

image::Image<float> working_head(const image::Image<float>& head) {
  const auto [low, high] = plausible_range(head);
  const int exponent = high > low ? -std::ilogb(high - low) : 0;
  image::Image<float> out(head.size, head.spacing_mm);
  for (std::size_t i = 0; i < out.voxels.size(); ++i)
    out.voxels[i] =
        static_cast<float>(std::scalbn(std::clamp(static_cast<double>(head.voxels[i]), low, high), exponent));
  if (out.voxels.size() <= kMaxVoxels) return out;
  image::Size size = head.size;
  image::Vector sigma{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (head.spacing_mm[axis] >= kWorkMm) continue;
    const double extent = head.spacing_mm[axis] * static_cast<double>(head.size[axis]);
    size[axis] = std::max<std::int64_t>(1, std::llround(extent / kWorkMm));
    sigma[axis] = kBlur * kWorkMm;
  }
  return size == head.size ? out : image::resample(image::gaussian_blur(out, sigma), size);
}

}  // namespace brain3d::strip
