// Chooses the affine that a NIfTI file means, and judges whether it is fit to say where left and right are.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/nifti/header.h"

namespace brain3d::io {

using Affine = std::array<double, 16>;  // row-major 4x4, voxel to RAS+ mm

/// Why `affine` cannot be a voxel-to-world map (not finite, singular, absurd voxel sizes, more than 20 % shear), or
/// nothing.
std::optional<std::string> affine_defect(const Affine& affine);

/// Lengths of the first three columns: the spacing in mm.
std::array<double, 3> affine_spacing(const Affine& affine);

/// The greatest |cosine| between two axes; 0 for a rotation with spacings.
double affine_shear(const Affine& affine);

/// Rotation, spacing and offset of the qform, as nibabel computes them; nothing if the quaternion is longer than 1 or
/// not finite.
std::optional<Affine> qform_affine(const NiftiHeader& header);

struct ChosenAffine {
  Affine affine{};
  std::string source;  // "sform", "qform" or "none"
  std::vector<std::string> warnings;
};

/// The sform if its code is positive, else the qform if its code is positive, else none (only spacings), as the
/// standard says. If both are set they must put each voxel axis on the same direction of the patient, unless `prefer`
/// ("sform" or "qform") chooses one; they may differ by a translation, a scale or a rotation, with a warning above what
/// a registration does. Throws Orientation if the affine has a defect or the two disagree.
ChosenAffine choose_affine(const NiftiHeader& header, const std::string& prefer, const std::string& file);

}  // namespace brain3d::io
