#include "strip/trim.h"

#include <algorithm>
#include <limits>

#include "base/large_memory.h"
#include "image/box.h"
#include "image/components.h"
#include "image/distance.h"
#include "image/filter.h"
#include "image/quantile.h"

namespace brain3d::strip {

namespace {

constexpr double kRimMm = 4;   // how deep below the surface voxels are taken away
constexpr double kDark = 0.5;  // a share of the way from dark to the brain's median; darker voxels are no tissue
constexpr double kDarkShare = 0.02;
constexpr double kInsideMm = 5;    // from here on inwards, voxels are brain
constexpr double kBlurMm = 0.5;    // against noise
constexpr double kBridgeMm = 2;    // half the width of what joins the brain with something else
constexpr double kRegrowMm = 0.5;  // beyond it: digital balls are not round

image::Mask inverted(image::Mask mask) {
  for (std::uint8_t& voxel : mask.voxels) voxel = voxel == 0 ? 1 : 0;
  return mask;
}

/// Between fluid and tissue.
float dark_below(const image::Image<float>& head, const image::Image<float>& depth) {
  LargeVector<float> inside, rim;
  for (std::size_t i = 0; i < depth.voxels.size(); ++i) {
    if (depth.voxels[i] > kInsideMm)
      inside.push_back(head.voxels[i]);
    else if (depth.voxels[i] > 0)
      rim.push_back(head.voxels[i]);
  }
  if (inside.empty() || rim.empty()) return -std::numeric_limits<float>::infinity();
  const float dark = std::min(image::quantile(inside, kDarkShare), image::quantile(rim, kDarkShare));
  return dark + static_cast<float>(kDark) * (image::quantile(inside, 0.5) - dark);
}

}  // namespace

image::Mask trim(const image::Image<float>& head, const image::Mask& mask) {
  const image::Box box = image::bounding_box(mask, 4);
  if (image::count(box.size()) == 0) return mask;
  const image::Mask whole = image::crop(mask, box);
  const image::Image<float> smooth = image::gaussian_blur(image::crop(head, box), {kBlurMm, kBlurMm, kBlurMm});
  const image::Image<float> depth = image::distance_to(inverted(whole));

  image::Mask kept = whole;
  const float border = dark_below(smooth, depth);
  for (std::size_t i = 0; i < kept.voxels.size(); ++i)
    if (smooth.voxels[i] < border && depth.voxels[i] <= kRimMm) kept.voxels[i] = 0;
  kept = image::fill_holes(kept);  // dark voxels that no dark voxels join with the outside

  const image::Mask core = image::largest_component(image::erode(kept, kBridgeMm));
  const image::Mask reach = image::dilate(core, kBridgeMm + kRegrowMm);
  for (std::size_t i = 0; i < kept.voxels.size(); ++i) kept.voxels[i] &= reach.voxels[i];
  return image::uncrop(image::fill_holes(image::largest_component(kept)), box, mask.size);
}

}  // namespace brain3d::strip
