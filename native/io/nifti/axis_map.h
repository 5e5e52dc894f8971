// Tells for each voxel axis which patient axis it is nearest to.
#pragma once

#include <array>
#include <string>

namespace brain3d::io {

/// Voxel axis a goes to patient axis `target[a]` (0 = Right, 1 = Anterior, 2 = Superior), reversed if `flip[a]`.
struct AxisMap {
  std::array<int, 3> target{};
  std::array<bool, 3> flip{};
  std::array<double, 3> degrees{};  // angle between each voxel axis and its patient axis
  double oblique_degrees = 0;       // the largest of them
};

/// The nearest axis permutation and flips, the clearest axis first, as nibabel's io_orientation decides them.
/// `directions` is [patient axis][voxel axis]; its columns have length 1 and are nearly perpendicular.
AxisMap assign_axes(const std::array<std::array<double, 3>, 3>& directions);

/// "RAS", "LPS", ... of voxel axes i, j, k.
std::string axis_codes(const AxisMap& map);

}  // namespace brain3d::io
