#include "volume/orientation.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "device/torch.h"

namespace brain3d::volume {

namespace {

constexpr const char* kNegative = "LPI";
constexpr const char* kPositive = "RAS";

double& at(Affine& affine, int row, int column) { return affine[static_cast<std::size_t>(4 * row + column)]; }
double at(const Affine& affine, int row, int column) { return affine[static_cast<std::size_t>(4 * row + column)]; }

Affine multiply(const Affine& a, const Affine& b) {
  Affine out{};
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 4; ++column)
      for (int inner = 0; inner < 4; ++inner) at(out, row, column) += at(a, row, inner) * at(b, inner, column);
  return out;
}

/// The rotation nearest to the affine's normalised columns: U V^T of their SVD, small singular values dropped.
std::array<std::array<double, 3>, 3> polar_rotation(const Affine& affine, const std::array<double, 3>& sizes) {
  at::Tensor columns = at::empty({3, 3}, at::kDouble);
  auto values = columns.accessor<double, 2>();
  for (int row = 0; row < 3; ++row)
    for (int axis = 0; axis < 3; ++axis)
      values[row][axis] = at(affine, row, axis) /
                          (sizes[static_cast<std::size_t>(axis)] == 0 ? 1.0 : sizes[static_cast<std::size_t>(axis)]);
  const auto [u, s, vh] = at::linalg_svd(columns, /*full_matrices=*/false);
  const double tolerance = s.max().item<double>() * 3 * std::numeric_limits<double>::epsilon();
  const at::Tensor kept = (s > tolerance).to(at::kDouble);
  B3D_CHECK(kept.sum().item<double>() == 3, Orientation,
            "expected an affine with three independent axes, got a singular one; the file's orientation is unusable");
  const at::Tensor rotation = at::mm(u, vh).contiguous();
  std::array<std::array<double, 3>, 3> out{};
  for (int row = 0; row < 3; ++row)
    for (int axis = 0; axis < 3; ++axis)
      out[static_cast<std::size_t>(row)][static_cast<std::size_t>(axis)] = rotation[row][axis].item<double>();
  return out;
}

}  // namespace

std::array<double, 3> voxel_sizes(const Affine& affine) {
  std::array<double, 3> sizes{};
  for (int axis = 0; axis < 3; ++axis)
    sizes[static_cast<std::size_t>(axis)] = std::hypot(at(affine, 0, axis), at(affine, 1, axis), at(affine, 2, axis));
  return sizes;
}

AxisMap nearest_axes(const Affine& affine) {
  for (const double value : affine)
    B3D_CHECK(std::isfinite(value), Orientation, "expected a finite affine, got ", value);
  return io::assign_axes(polar_rotation(affine, voxel_sizes(affine)));
}

Affine affine_from_codes(const std::string& codes, const std::array<std::int64_t, 3>& shape,
                         const std::array<double, 3>& spacing_mm) {
  Affine affine{};
  at(affine, 3, 3) = 1;
  std::array<bool, 3> used{};
  B3D_CHECK(codes.size() == 3, Usage, "expected three axis codes such as RAS or LPS for orientation, got '", codes,
            "'");
  for (std::size_t axis = 0; axis < 3; ++axis) {
    int target = -1;
    double sign = 0;
    for (int candidate = 0; candidate < 3; ++candidate) {
      if (codes[axis] == kPositive[candidate]) target = candidate, sign = 1;
      if (codes[axis] == kNegative[candidate]) target = candidate, sign = -1;
    }
    B3D_CHECK(target >= 0 && !used[static_cast<std::size_t>(target)], Usage,
              "expected one letter each of L/R, A/P and S/I for orientation, got '", codes, "'");
    used[static_cast<std::size_t>(target)] = true;
    const double step = sign * spacing_mm[axis];
    at(affine, target, static_cast<int>(axis)) = step;
    at(affine, target, 3) = -step * static_cast<double>(shape[axis] - 1) / 2;
  }
  return affine;
}

Affine canonical_affine(const Affine& affine, const AxisMap& map, const std::array<std::int64_t, 3>& shape) {
  // Canonical index -> stored index: axis a of the file is read from canonical axis target[a], maybe backwards.
  Affine to_stored{};
  at(to_stored, 3, 3) = 1;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    at(to_stored, static_cast<int>(axis), map.target[axis]) = map.flip[axis] ? -1 : 1;
    at(to_stored, static_cast<int>(axis), 3) = map.flip[axis] ? static_cast<double>(shape[axis] - 1) : 0;
  }
  return multiply(affine, to_stored);
}

}  // namespace brain3d::volume
