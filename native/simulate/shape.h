// The map from a subject's brain to the anatomy that it is drawn from: where in Colin27 each place of the subject's
// head comes from. Places are mm (Right, Anterior, Superior).
#pragma once

#include <vector>

#include "simulate/anatomy.h"

namespace brain3d::simulate {

struct ShapeSpec {
  Point scale{1, 1, 1};
  Point rotation_degrees{};  // about R, A, S, in this order
  Point translation_mm{};
  double warp_mm = 0;  // standard deviation of the smooth displacement along each axis
  std::uint64_t warp_seed = 0;
  double ventricle_mm = 0;  // walls of the lateral ventricles moved inwards; negative: outwards
};

/// A lesion's pressure: tissue is pushed away from `centre`, and the lateral ventricles near by are squeezed.
struct MassEffect {
  Point centre_mm{};      // in the subject
  double radius_mm = 0;   // the radius of the lesion's core
  double push_mm = 0;     // displacement at the core's surface
  double squeeze_mm = 0;  // the way of the ventricles' walls inwards, at the core's surface
  double side = 0;        // -1 left, 1 right: the falx shields the other half; 0 near the midline
};

/// Not a diffeomorphism by construction, but with amplitudes as in lib/simulate/plan.ts never seen to fold.
class Shape {
 public:
  Shape(const Anatomy& anatomy, const ShapeSpec& spec);

  /// The place in the anatomy from which a place of the subject comes.
  Point to_anatomy(const Point& place, const std::vector<MassEffect>& mass = {}) const;
  /// The inverse, by fixed-point iteration to within 0.05 mm.
  Point from_anatomy(const Point& place, const std::vector<MassEffect>& mass = {}) const;

 private:
  Point to_linear(const Point& place) const;
  double sample_depth(const Point& place) const;
  Point ventricle_slope(const Point& place) const;

  const Anatomy& anatomy_;
  ShapeSpec spec_;
  std::array<double, 9> inverse_{};  // linear part, subject to anatomy
  std::array<SmoothField, 6> warp_;  // coarse and fine, along each axis
};

}  // namespace brain3d::simulate
