// Tells which way a voxel grid lies in the patient. Everything here comes from the affine; a file's name never enters.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "io/nifti/axis_map.h"

namespace brain3d::volume {

/// Row-major 4 x 4, voxel (i, j, k) to RAS+ mm.
using Affine = std::array<double, 16>;

using io::axis_codes;
using io::AxisMap;

/// The nearest axis permutation and flips, as nibabel's io_orientation decides them.
/// Throws Orientation if the affine is singular or not finite.
AxisMap nearest_axes(const Affine& affine);

/// An affine for axis codes ("RAS", "LPS", ...) and spacings, the volume's centre at the origin.
/// Throws Usage for a text that names no three different patient axes.
Affine affine_from_codes(const std::string& codes, const std::array<std::int64_t, 3>& shape,
                         const std::array<double, 3>& spacing_mm);

/// Affine of the array after flips and transposition to (R, A, S); `shape` is (i, j, k) before.
Affine canonical_affine(const Affine& affine, const AxisMap& map, const std::array<std::int64_t, 3>& shape);

/// Euclidean length of each voxel axis in mm.
std::array<double, 3> voxel_sizes(const Affine& affine);

}  // namespace brain3d::volume
