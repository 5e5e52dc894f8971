#include "strip/working_head.h"

#include <algorithm>
#include <cmath>

#include "base/large_memory.h"
#include "image/quantile.h"
#include "image/shrink.h"

namespace brain3d::strip {

namespace {

constexpr double kLowShare = 0.001, kHighShare = 0.999;
constexpr std::size_t kMaxSamples = std::size_t{1} << 22;  // voxels that are looked at for their range

struct Range {
  double low, high;
};

/// The upper end of the range in which nearly all voxels lie. Fat and vessels are brighter, and the surface needs to
/// know no more of them.
Range plausible_range(const image::Image<float>& head) {
  LargeVector<float> sample;
  const std::size_t step = head.voxels.size() / kMaxSamples + 1;
  for (std::size_t i = 0; i < head.voxels.size(); i += step) sample.push_back(head.voxels[i]);
  const double low = image::quantile(sample, kLowShare), high = image::quantile(sample, kHighShare);
  return {low, high};
}

}  // namespace

image::Image<float> working_head(const image::Image<float>& head) {
  const auto [low, high] = plausible_range(head);
  const int exponent = high > low ? -std::ilogb(high - low) : 0;
  return image::block_means(head.size, head.spacing_mm, image::working_factors(head.size, head.spacing_mm),
                            [&, low = low, high = high](std::size_t index) {
                              const auto value = static_cast<double>(head.voxels[index]);
                              return std::scalbn(std::clamp(value, low, high), exponent);
                            });
}

image::Mask on_voxels_of(const image::Image<float>& head, const image::Mask& mask) {
  if (mask.size == head.size) return mask;
  const image::Size factors = image::working_factors(head.size, head.spacing_mm);
  const auto at = [&](std::size_t axis, std::int64_t voxel) {
    return (static_cast<double>(voxel) + 0.5) / static_cast<double>(factors[axis]) - 0.5;
  };
  image::Mask out(head.size, head.spacing_mm);
  for (std::int64_t d = 0; d < head.size[0]; ++d)
    for (std::int64_t h = 0; h < head.size[1]; ++h)
      for (std::int64_t w = 0; w < head.size[2]; ++w)
        out(d, h, w) = image::sample(mask, at(0, d), at(1, h), at(2, w)) >= 0.5F ? 1 : 0;
  return out;
}

}  // namespace brain3d::strip
