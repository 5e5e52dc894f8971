#include "simulate/tumour.h"

#include <algorithm>

#include "base/error.h"

namespace brain3d::simulate {

namespace {

// Solid growth pushes into grey matter nearly as fast as into white and fills sulci slowly; edema is a fluid that
// follows the fibres (a ratio of 5 to 10 is usual in growth models of gliomas).
constexpr Speeds kCoreSpeeds{0.35, 0.8, 1.0};
constexpr Speeds kEdemaSpeeds{0.05, 0.14, 1.0};
// A focus begins this deep below the surface (in units of Anatomy::depth), so that its core has room.
constexpr float kFocusDepth = 0.8F;
constexpr double kMidlineMm = 4, kOffMidlineMm = 12;

bool may_begin(const Anatomy& anatomy, const FocusSpec& focus, std::size_t voxel, const Point& place) {
  const std::uint8_t code = anatomy.coarse_codes.voxels[voxel];
  if (anatomy.region(code) != focus.region || anatomy.tissue(code) == Tissue::Csf) return false;
  if (focus.side == Side::Middle) {
    if (std::abs(place[0]) > kMidlineMm) return false;
    // The callosal body is thin; butterfly gliomas are of genu or splenium.
    return focus.region != Region::CorpusCallosum || place[1] > 14 || place[1] < -30;
  }
  return place[0] * static_cast<double>(focus.side) >= kOffMidlineMm && anatomy.depth.voxels[voxel] >= kFocusDepth;
}

std::size_t first_voxel(const Anatomy& anatomy, const FocusSpec& focus) {
  std::vector<std::size_t> candidates;
  const Frame& grid = anatomy.coarse;
  for (std::int64_t d = 0; d < grid.size[0]; ++d)
    for (std::int64_t h = 0; h < grid.size[1]; ++h)
      for (std::int64_t w = 0; w < grid.size[2]; ++w) {
        const std::size_t voxel = anatomy.coarse_codes.index(d, h, w);
        if (may_begin(anatomy, focus, voxel, grid.place_of(d, h, w))) candidates.push_back(voxel);
      }
  B3D_CHECK(!candidates.empty(), Usage, "expected a region in which a lesion can begin, got ",
            region_name(focus.region), " on side ", static_cast<int>(focus.side));
  return candidates[hash(focus.seed, 0) % candidates.size()];
}

Point place_of_voxel(const Frame& grid, std::size_t voxel) {
  const auto at = static_cast<std::int64_t>(voxel);
  return grid.place_of(at / (grid.size[2] * grid.size[1]), at / grid.size[2] % grid.size[1], at % grid.size[2]);
}

Tumour::Focus measure(const Anatomy& anatomy, const Front& front) {
  Tumour::Focus focus;
  double voxels = 0;
  for (std::size_t i = 0; i < front.arrival.voxels.size(); ++i) {
    if (front.arrival.voxels[i] > 1) continue;
    const Point place = place_of_voxel(anatomy.coarse, i);
    for (std::size_t axis = 0; axis < 3; ++axis) focus.centre_mm[axis] += place[axis];
    voxels += 1;
  }
  for (double& part : focus.centre_mm) part /= voxels;
  focus.core_mm3 = front.volume_mm3;
  return focus;
}

/// The inner part of the core, irregular and off its centre: `share` of its volume, but never up to its edge, so that a
/// rim of living tumour remains.
image::Image<float> necrosis_in(const Anatomy& anatomy, const image::Image<float>& core, double share,
                                std::uint64_t seed) {
  constexpr float kRim = 0.88F;
  image::Image<float> out(core.size, core.spacing_mm, Front::kBeyond);
  if (share <= 0) return out;
  const SmoothField texture(seed, 9);
  std::vector<std::size_t> eligible;
  std::vector<float> values;
  std::size_t core_voxels = 0;
  for (std::size_t i = 0; i < core.voxels.size(); ++i) {
    if (core.voxels[i] <= 1) ++core_voxels;
    if (core.voxels[i] > kRim) continue;
    const double rough = std::exp(0.4 * texture(place_of_voxel(anatomy.coarse, i)));
    eligible.push_back(i);
    values.push_back(static_cast<float>(core.voxels[i] * rough));
  }
  const auto wanted = static_cast<std::size_t>(share * static_cast<double>(core_voxels));
  std::vector<float> sorted = values;
  const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, sorted.size() - 1));
  std::nth_element(sorted.begin(), nth, sorted.end());
  const float at_share = std::max(*nth, 1e-6F);
  for (std::size_t k = 0; k < eligible.size(); ++k)
    out.voxels[eligible[k]] = std::min(values[k] / at_share, Front::kBeyond);
  return out;
}

}  // namespace

Tumour grow_tumour(const Anatomy& anatomy, const TumourSpec& spec) {
  Tumour out;
  out.core = image::Image<float>(anatomy.coarse.size, {2, 2, 2}, Front::kBeyond);
  out.necrosis = out.edema = out.core;
  if (spec.foci.empty()) return out;
  for (const FocusSpec& focus : spec.foci) {
    const Front front = spread(anatomy, {first_voxel(anatomy, focus)}, kCoreSpeeds, focus.core_ml * 1000, 0.28, 11,
                               hash(focus.seed, 1));
    out.foci.push_back(measure(anatomy, front));
    for (std::size_t i = 0; i < out.core.voxels.size(); ++i)
      out.core.voxels[i] = std::min(out.core.voxels[i], front.arrival.voxels[i]);
  }
  out.necrosis = necrosis_in(anatomy, out.core, spec.necrosis_share, hash(spec.seed, 0));

  std::vector<std::size_t> sources;
  for (std::size_t i = 0; i < out.core.voxels.size(); ++i)
    if (out.core.voxels[i] <= 1) sources.push_back(i);
  const double core_mm3 = static_cast<double>(sources.size()) * 8;
  out.edema =
      spread(anatomy, sources, kEdemaSpeeds, core_mm3 + spec.edema_ml * 1000, 0.3, 14, hash(spec.seed, 1)).arrival;
  return out;
}

}  // namespace brain3d::simulate
