#include "simulate/subject.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "image/components.h"
#include "simulate/contrast.h"
#include "simulate/displacement.h"

namespace brain3d::simulate {

namespace {

// Septum pellucidum of Colin27: between the lateral ventricles, on the midline.
constexpr Point kSeptum{0, 8, 14};
// A focus nearer to the midline presses on both halves alike.
constexpr double kOnMidlineMm = 10;

void check(const SubjectSpec& spec) {
  for (const std::int64_t side : spec.size)
    B3D_CHECK(side >= 16 && side <= 512, Usage, "expected sides from 16 to 512 voxels, got ", side);
  B3D_CHECK(spec.spacing_mm >= 0.5 && spec.spacing_mm <= 4, Usage, "expected a spacing from 0.5 to 4 mm, got ",
            spec.spacing_mm);
}

std::vector<MassEffect> mass_effects(const Shape& shape, const Tumour& tumour, const TumourSpec& spec) {
  double largest = 0;
  for (const auto& focus : tumour.foci) largest = std::max(largest, focus.core_mm3);
  std::vector<MassEffect> out;
  for (const auto& focus : tumour.foci) {
    // The radius of a ball of the core's volume; smaller foci push in proportion to theirs.
    const double radius = std::cbrt(focus.core_mm3 * 3 / (4 * 3.14159265358979));
    const double share = std::cbrt(focus.core_mm3 / largest);
    const double x = focus.centre_mm[0];
    const double side = std::abs(x) < kOnMidlineMm ? 0 : x < 0 ? -1 : 1;
    out.push_back({shape.from_anatomy(focus.centre_mm), radius, spec.push_mm * share, spec.squeeze_mm * share, side});
  }
  return out;
}

std::size_t half_of(const Point& place) { return place[0] < 0 ? 0 : 1; }

/// Lateral ventricles by half, in mm3.
std::array<double, 2> ventricle_volume(const Anatomy& anatomy, const Displacement& map, double voxel_mm3) {
  std::array<double, 2> out{};
  map.for_each_voxel([&](std::int64_t, std::int64_t, std::int64_t, const Point& place) {
    if (anatomy.region(anatomy.code_at(place)) == Region::LateralVentricle) out[half_of(place)] += voxel_mm3;
  });
  return out;
}

std::vector<double> core_volumes(const image::Image<std::uint8_t>& segmentation, double voxel_mm3) {
  image::Mask core(segmentation.size, segmentation.spacing_mm);
  for (std::size_t i = 0; i < core.voxels.size(); ++i)
    core.voxels[i] = segmentation.voxels[i] == 1 || segmentation.voxels[i] == 4 ? 1 : 0;
  std::vector<double> out;
  for (const std::size_t size : image::component_sizes(core)) out.push_back(static_cast<double>(size) * voxel_mm3);
  std::sort(out.rbegin(), out.rend());
  return out;
}

}  // namespace

Subject simulate_subject(const Anatomy& anatomy, const SubjectSpec& spec, const CancelFlag& cancel) {
  check(spec);
  const Shape shape(anatomy, spec.shape);
  const Tumour tumour = grow_tumour(anatomy, spec.tumour);
  cancel.check();
  const std::vector<MassEffect> mass = mass_effects(shape, tumour, spec.tumour);

  Subject out;
  // The brain's middle (MNI 0, -18, 6) lies near the grid's.
  constexpr Point kMiddle{0, -18, 6};
  for (std::size_t axis = 0; axis < 3; ++axis)
    out.origin_mm[axis] = kMiddle[axis] - 0.5 * spec.spacing_mm * static_cast<double>(spec.size[2 - axis] - 1);
  const image::Vector spacing{spec.spacing_mm, spec.spacing_mm, spec.spacing_mm};
  const double voxel_mm3 = spec.spacing_mm * spec.spacing_mm * spec.spacing_mm;
  const Displacement map(shape, mass, spec.size, spacing, out.origin_mm);
  cancel.check();

  const Renderer renderer(anatomy, tumour, spec.tumour, spec.contrast);
  out.segmentation = image::Image<std::uint8_t>(spec.size, spacing);
  out.brain = image::Mask(spec.size, spacing);
  image::Image<float> signal(spec.size, spacing);
  image::Mask kept(spec.size, spacing);
  const SmoothField strip_error(spec.strip_seed, 18);
  Truth& truth = out.truth;
  map.for_each_voxel([&](std::int64_t d, std::int64_t h, std::int64_t w, const Point& place) {
    const Renderer::Voxel voxel = renderer.render(place);
    signal(d, h, w) = voxel.signal;
    if (voxel.brain > 0.5F) {
      out.brain(d, h, w) = 1;
      truth.brain_mm3 += voxel_mm3;
      if (voxel.part) {
        out.segmentation(d, h, w) = kBratsLabels[static_cast<std::size_t>(*voxel.part)];
        const std::size_t half = half_of(place);
        const auto region = static_cast<std::size_t>(anatomy.region(anatomy.code_at(place)));
        truth.volume_mm3[region][half][static_cast<std::size_t>(*voxel.part)] += voxel_mm3;
        truth.reach_mm[half] = std::max(truth.reach_mm[half], std::abs(place[0]));
      }
    }
    if (spec.strip && voxel.brain > 0.2F && voxel.brain < 0.8F) {
      const double error = std::clamp(spec.strip_roughness * strip_error(place), -0.25, 0.25);
      kept(d, h, w) = static_cast<double>(voxel.brain) > 0.5 + error ? 1 : 0;
    } else {
      kept(d, h, w) = !spec.strip || voxel.brain > 0.5F ? 1 : 0;
    }
  });
  cancel.check();

  truth.ventricle_mm3 = ventricle_volume(anatomy, map, voxel_mm3);
  truth.ventricle_before_mm3 = truth.ventricle_mm3;
  if (!mass.empty()) {
    const Displacement before(shape, {}, spec.size, spacing, out.origin_mm);
    truth.ventricle_before_mm3 = ventricle_volume(anatomy, before, voxel_mm3);
    truth.midline_shift_mm = shape.from_anatomy(kSeptum, mass)[0] - shape.from_anatomy(kSeptum)[0];
  }
  truth.cores_mm3 = core_volumes(out.segmentation, voxel_mm3);
  cancel.check();

  out.flair = acquire(signal, out.origin_mm, spec.acquisition);
  for (std::size_t i = 0; i < out.flair.voxels.size(); ++i)
    if (kept.voxels[i] == 0) out.flair.voxels[i] = 0;
  return out;
}

}  // namespace brain3d::simulate
