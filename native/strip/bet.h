// BET's deformable surface: a sphere inside the head that grows until it meets what is darker than brain.   [BET]
//
// Positions are mm along (D, H, W) from the centre of voxel (0, 0, 0).
#pragma once

#include "base/cancel.h"
#include "image/image.h"
#include "strip/icosphere.h"

namespace brain3d::strip {

/// Intensities that the surface goes by.   [BET, section 2.1]
struct Levels {
  float low = 0;     // t_2: the 2nd percentile; what is below is background
  float high = 0;    // t_98: the 98th percentile; what is above is an outlier
  float median = 0;  // t_m: of the brain

  /// t: the rough border between head and background, a tenth of the way from `low` to `high`.
  float head() const { return low + 0.1F * (high - low); }
};

/// The sphere from which the surface starts.
struct Sphere {
  Vector centre{};
  double radius_mm = 0;
};

struct SurfaceOptions {
  /// b_t, 0 to 1: where between background and the local maximum the border of the brain lies; smaller gives a larger
  /// brain.
  double fractional_intensity = 0.5;
  int subdivisions = 4;  // subdivisions of the icosahedron: 4 give 2,562 vertices
  int iterations = 1000;
  double smoothing = 1;  // factor of the smoothness term, for a surface that folded through itself
};

/// The surface after `iterations` steps from half of `start`'s radius.   [BET, sections 2.4 to 2.6]
/// Throws Cancelled.
Mesh grow_surface(const image::Image<float>& head, const Levels& levels, const Sphere& start,
                  const SurfaceOptions& options, const CancelFlag& cancel);

}  // namespace brain3d::strip
