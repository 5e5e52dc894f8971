// Judges whether a volume's place in the patient looks lost, as that of an array written with a default affine does.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace brain3d::io {

/// Warnings, "<camelCase name>: <sentence>", for an affine (row-major 4 x 4, voxel to RAS+ mm) that tools write when
/// they know only an array: straight axes whose first or last voxels are at the origin, or whose centre is. Also for
/// axes that do not look like those of a head. A volume in SRI24's space, as BraTS gives it, has a corner at the origin
/// rightly.
std::vector<std::string> geometry_warnings(const std::array<double, 16>& affine,
                                           const std::array<std::int64_t, 3>& shape);

}  // namespace brain3d::io
