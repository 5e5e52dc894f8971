#include "strip/detect.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/large_memory.h"
#include "image/components.h"
#include "image/shrink.h"
#include "image/vector.h"
#include "strip/background.h"
#include "strip/icosphere.h"
#include "strip/localise.h"

namespace brain3d::strip {

using image::operator+, image::operator*;

namespace {

constexpr double kLargestShare = 0.9;  // the share of the foreground
constexpr double kLargestBrainMl = 2500;
constexpr double kLongestRayMm = 160;  // beyond any head's surface, from its middle
constexpr double kProfileMm = 30;      // inwards from the surface: scalp, skull and some brain
constexpr double kScalpMm = 12;        // at most
constexpr int kGapMm = 3;              // a skull's thickness at least
constexpr float kTissue = 0.4F;        // the share of the median in the middle
constexpr double kMiddleMm = 50;
constexpr double kSkullShare = 0.4;  // the share of the rays; sulci are dark gaps as well, but on few of them

/// Intensities on the way in from the surface, a millimetre apart.
std::vector<float> inward_profile(const image::Image<float>& volume, const image::Image<float>& covered,
                                  const Vector& centre, const Vector& direction) {
  const auto at = [&](const image::Image<float>& of, double mm) {
    const Vector index = centre + direction * mm;
    return image::sample(of, index[0] / of.spacing_mm[0], index[1] / of.spacing_mm[1], index[2] / of.spacing_mm[2]);
  };
  double surface = kLongestRayMm;
  while (surface > kProfileMm && at(covered, surface) < 0.5F) surface -= 1;
  std::vector<float> out;
  for (double depth = 0; depth < kProfileMm; depth += 1) out.push_back(at(volume, surface - depth));
  return out;
}

/// Is there a gap of kGapMm or more that is less than half as bright as what lies before and behind it, both of which
/// are tissue?
bool has_gap(const std::vector<float>& profile, float background, float tissue) {
  float before = 0;
  int gap = 0;
  for (std::size_t i = 0; i < profile.size(); ++i) {
    const float value = profile[i] - background;
    const float behind =
        *std::max_element(profile.begin() + static_cast<std::ptrdiff_t>(i), profile.end()) - background;
    gap = std::min(before, behind) >= tissue && value < 0.5F * std::min(before, behind) ? gap + 1 : 0;
    if (gap >= kGapMm) return true;
    if (static_cast<double>(i) <= kScalpMm) before = std::max(before, value);
  }
  return false;
}

/// The foreground with its cavities, between 0 and 1 on coarse voxels.
image::Image<float> coarse_cover(const image::Mask& filled) {
  image::Image<float> covered(filled.size, filled.spacing_mm);
  for (std::size_t i = 0; i < covered.voxels.size(); ++i) covered.voxels[i] = filled.voxels[i];
  return coarse_head(covered);
}

/// Share of the rays upwards and sideways from the middle of the foreground that cross a dark shell below the surface.
/// `volume` has `background` outside of the foreground.
double shell_share(const image::Image<float>& volume, const image::Mask& filled, float background) {
  const image::Image<float> covered = coarse_cover(filled);
  const image::Image<float> coarse = coarse_head(volume);
  const Vector centre = equivalent_sphere(filled).centre;
  const float tissue = kTissue * (levels_in(coarse, {centre, kMiddleMm}).median - background);
  double num_rays = 0, num_gaps = 0;
  for (const Vector& direction : icosphere(3).vertices) {
    if (direction[0] < 0) continue;
    num_rays += 1;
    if (has_gap(inward_profile(coarse, covered, centre, direction), background, tissue)) num_gaps += 1;
  }
  return num_gaps / num_rays;
}

/// Blocks in which any voxel is foreground.
image::Mask any_in_block(const image::Mask& foreground, const image::Size& factors) {
  const image::Image<float> share = image::block_means(foreground.size, foreground.spacing_mm, factors,
                                                       [&](std::size_t index) { return foreground.voxels[index]; });
  image::Mask out(share.size, share.spacing_mm);
  for (std::size_t i = 0; i < out.voxels.size(); ++i) out.voxels[i] = share.voxels[i] > 0 ? 1 : 0;
  return out;
}

/// The voxels of `foreground` whose block is in `blocks`.
image::Mask within_blocks(const image::Mask& foreground, const image::Mask& blocks, const image::Size& factors) {
  image::Mask out = foreground;
  for (std::int64_t d = 0; d < out.size[0]; ++d)
    for (std::int64_t h = 0; h < out.size[1]; ++h)
      for (std::int64_t w = 0; w < out.size[2]; ++w)
        out(d, h, w) &= blocks(d / factors[0], h / factors[1], w / factors[2]);
  return out;
}

std::string litres(double ml) { return concat(std::round(ml / 10) / 100, " l"); }

}  // namespace

Detection detect_stripped(const image::Image<float>& volume, const Background& background) {
  Detection out;
  if (background.values.empty()) {
    out.reason = "the background has noise: no value is that of half of the outermost voxels";
    return out;
  }
  const image::Size factors = image::working_factors(volume.size, volume.spacing_mm);
  const image::Mask foreground = any_in_block(background.foreground, factors);
  const image::Mask largest = image::largest_component(foreground);
  const auto num_all = static_cast<double>(std::count(foreground.voxels.begin(), foreground.voxels.end(), 1));
  const auto num_largest = static_cast<double>(std::count(largest.voxels.begin(), largest.voxels.end(), 1));
  if (num_all == 0 || num_largest < kLargestShare * num_all) {
    out.reason = "the foreground is not one part";
    return out;
  }
  const image::Mask filled = image::fill_holes(largest);
  const double voxel_ml = filled.spacing_mm[0] * filled.spacing_mm[1] * filled.spacing_mm[2] / 1000;
  const double ml = static_cast<double>(std::count(filled.voxels.begin(), filled.voxels.end(), 1)) * voxel_ml;
  if (ml > kLargestBrainMl) {
    out.reason = concat("the foreground has ", litres(ml), ", more than a brain");
    return out;
  }
  image::Mask brain = within_blocks(background.foreground, largest, factors);
  const float dark = dark_level(volume, brain);
  const image::Image<float> on_dark =
      image::block_means(volume.size, volume.spacing_mm, factors,
                         [&](std::size_t index) { return brain.voxels[index] != 0 ? volume.voxels[index] : dark; });
  if (shell_share(on_dark, filled, dark) > kSkullShare) {
    out.reason = "a dark shell lies under the surface, as a skull does under the scalp";
    return out;
  }
  out.is_stripped = true;
  out.foreground = std::move(brain);
  out.reason = concat("the background is one value, and ", litres(ml), " of foreground have no skull around them");
  return out;
}

}  // namespace brain3d::strip
