// Fronts that spread through the brain: where a lesion is, and when it came there.
#pragma once

#include <vector>

#include "simulate/anatomy.h"

namespace brain3d::simulate {

/// Arrival of a front, 1 where it stands when its volume is reached, below 1 inside, at most `kBeyond` outside.
struct Front {
  image::Image<float> arrival;  // on Anatomy::coarse
  double volume_mm3 = 0;        // with arrival <= 1; less than asked for where there is no more room

  static constexpr float kBeyond = 1.6F;
};

/// The speed of a front in each tissue relative to white matter; 0 is a wall.
struct Speeds {
  double csf, grey, white;
};

/// Spreads from `sources` (indices into Anatomy::coarse) at tissue's speed times exp(`roughness` * smooth noise of
/// `texture_mm`). The lateral ventricles are walls; so are the falx (the midline but for white matter, brainstem and
/// cerebellum) and the tentorium (between cerebellum and cerebrum but for the brainstem).
Front spread(const Anatomy& anatomy, const std::vector<std::size_t>& sources, const Speeds& speeds, double volume_mm3,
             double roughness, double texture_mm, std::uint64_t seed);

}  // namespace brain3d::simulate
