#include "volume/reorient.h"

#include "base/error.h"

namespace brain3d::volume {

Volume reorient(const Volume& canonical, const std::string& codes) {
  const std::string from = axis_codes(nearest_axes(canonical.affine));
  B3D_CHECK(from == "RAS", Usage, "reorient: expected a canonical (RAS) volume, got ", from);
  // This tells which patient axis each new voxel axis runs along, and whether backwards; sizes do not matter for that.
  const AxisMap map = nearest_axes(affine_from_codes(codes, {2, 2, 2}, {1.0, 1.0, 1.0}));
  Volume out = canonical;
  std::vector<std::int64_t> order(3), flipped;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto source = static_cast<std::size_t>(map.target[axis]);
    const auto array_axis = static_cast<std::int64_t>(2 - axis);
    order[static_cast<std::size_t>(array_axis)] = static_cast<std::int64_t>(2 - source);
    if (map.flip[axis]) flipped.push_back(array_axis);
    const auto length = static_cast<double>(canonical.voxels.size(static_cast<std::int64_t>(2 - source)));
    for (std::size_t row = 0; row < 3; ++row) {
      const double column = canonical.affine[4 * row + source];
      out.affine[4 * row + axis] = map.flip[axis] ? -column : column;
      if (map.flip[axis]) out.affine[4 * row + 3] += (length - 1) * column;
    }
  }
  out.voxels = canonical.voxels.permute(order).flip(flipped).contiguous();
  return out;
}

}  // namespace brain3d::volume
