// Storage orders: a canonical volume as a scanner or another tool would have stored it.
#pragma once

#include "volume/volume.h"

namespace brain3d::volume {

/// The same image with voxel axes i, j, k towards `codes` ("LPS", "RIA", ...); `canonicalise` undoes it. Only flips and
/// permutations; the affine follows. `canonical` must be RAS. Throws Usage for codes that name no three different axes.
Volume reorient(const Volume& canonical, const std::string& codes);

}  // namespace brain3d::volume
