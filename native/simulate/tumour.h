// A glioma in the anatomy: a core with necrosis inside, edema around it that follows white matter.
#pragma once

#include <string>
#include <vector>

#include "simulate/growth.h"

namespace brain3d::simulate {

enum class Side : std::int8_t { Left = -1, Middle = 0, Right = 1 };

struct FocusSpec {
  Region region = Region::Frontal;
  Side side = Side::Left;  // Middle: within 4 mm of the midline; in the corpus callosum its genu or splenium
  std::uint64_t seed = 0;
  double core_ml = 20;
};

struct TumourSpec {
  std::vector<FocusSpec> foci;  // empty: a healthy subject
  double edema_ml = 40;         // the edema of all foci together
  double necrosis_share = 0.3;  // the share of the core's volume; 0: none
  double infiltration_mm = 2;   // width of the margin over which the signal fades
  double push_mm = 4;           // mass effect at the surface of the largest core
  double squeeze_mm = 2;
  std::uint64_t seed = 0;
};

/// Arrival fields on Anatomy::coarse (see Front); a place belongs to a part where its field is at most 1.
struct Tumour {
  image::Image<float> core, necrosis, edema;
  struct Focus {
    Point centre_mm{};  // centroid of its core, in the anatomy
    double core_mm3 = 0;
  };
  std::vector<Focus> foci;
};

/// Throws Usage if there is no place for a focus in the region and side asked for.
Tumour grow_tumour(const Anatomy& anatomy, const TumourSpec& spec);

}  // namespace brain3d::simulate
