// The committed anatomy, read once for all tests.
#pragma once

#include <string>

#include "simulate/anatomy.h"

namespace brain3d::simulate {

inline const Anatomy& anatomy() {
  static const Anatomy loaded = load_anatomy(std::string(B3D_TEST_ASSETS_DIR) + "/anatomy/colin27_t1_1mm.nii.gz",
                                             std::string(B3D_TEST_ASSETS_DIR) + "/anatomy/colin27_regions_1mm.nii.gz");
  return loaded;
}

}  // namespace brain3d::simulate
