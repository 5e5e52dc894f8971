#include "strip/brain.h"

#include <algorithm>

#include "base/error.h"
#include "strip/bet.h"
#include "strip/localise.h"
#include "strip/surface_mask.h"
#include "strip/trim.h"
#include "strip/working_head.h"

namespace brain3d::strip {

namespace {

/// A surface is smoothed ten times as much as [BET] has it, and `trim` finds the details: less gave surfaces that ran
/// into orbits and neck. One that folds is grown again with ten times that, as bet2 does.
constexpr double kSmoothing = 10, kMoreSmoothing = 10;
constexpr int kTries = 3;
constexpr double kFoldedShare = 0.02;  // the share of the enclosed voxels

double folded_share(const image::Image<std::int8_t>& windings) {
  const auto enclosed =
      windings.voxels.size() - static_cast<std::size_t>(std::count(windings.voxels.begin(), windings.voxels.end(), 0));
  const auto once = static_cast<std::size_t>(std::count(windings.voxels.begin(), windings.voxels.end(), 1));
  return enclosed == 0 ? 0 : static_cast<double>(enclosed - once) / static_cast<double>(enclosed);
}

Mesh grow_unfolded(const image::Image<float>& head, const Sphere& start, SurfaceOptions options,
                   const CancelFlag& cancel) {
  const Levels levels = levels_in(head, start);
  options.smoothing = kSmoothing;
  for (int attempt = 1;; ++attempt) {
    Mesh mesh = grow_surface(head, levels, start, options, cancel);
    if (attempt == kTries || folded_share(winding_numbers(mesh, head.size, head.spacing_mm)) <= kFoldedShare)
      return mesh;
    options.smoothing *= kMoreSmoothing;
  }
}

}  // namespace

image::Mask extract_brain(const image::Image<float>& volume, const BrainOptions& options, const CancelFlag& cancel) {
  const image::Image<float> head = working_head(volume);
  cancel.check();
  const image::Image<float> coarse = coarse_head(head);
  cancel.check();
  SurfaceOptions surface;
  surface.fractional_intensity = options.fractional_intensity;
  surface.subdivisions = 3;
  surface.iterations = 500;
  Mesh mesh = grow_unfolded(coarse, rough_brain(coarse), surface, cancel);
  const Sphere start = equivalent_sphere(surface_mask(mesh, coarse.size, coarse.spacing_mm));
  surface.subdivisions = 4;
  surface.iterations = 1000;
  mesh = grow_unfolded(coarse, start, surface, cancel);
  // Both grids cover the same field of view, so the centres of their first voxels differ.
  for (Vector& vertex : mesh.vertices)
    for (std::size_t axis = 0; axis < 3; ++axis)
      vertex[axis] += 0.5 * (coarse.spacing_mm[axis] - head.spacing_mm[axis]);
  image::Mask brain = trim(head, surface_mask(mesh, head.size, head.spacing_mm));
  B3D_CHECK(
      std::find(brain.voxels.begin(), brain.voxels.end(), 1) != brain.voxels.end(), Volume,
      "expected a head with a brain in it, but no brain was found; look at the volume in a viewer, or give a mask "
      "made by another tool (--skull-strip command)");
  return on_voxels_of(volume, brain);
}

}  // namespace brain3d::strip
