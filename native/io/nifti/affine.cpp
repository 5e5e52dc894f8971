#include "io/nifti/affine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "io/failure.h"
#include "io/nifti/axis_map.h"
#include "io/nifti/plausible.h"

namespace brain3d::io {
namespace {

using Vector = std::array<double, 3>;

constexpr double kMaxShear = 0.20;
constexpr double kShearWarning = 0.05;
constexpr double kParallel = 0.999;
constexpr double kSameDegrees = 5.0;
// Halfway between two patient axes it is a matter of degrees which one is left-right.
constexpr double kUncertainDegrees = 40.0;
// A registration to a template turns a head by less, scales it by less and moves it by less.
constexpr double kRegistrationDegrees = 20.0;
constexpr double kRegistrationScale = 0.25;
constexpr double kRegistrationMm = 100.0;
constexpr double kSpacingTolerance = 0.01;
// Rounding of a quaternion that is meant to have length 1; (5, 5, 5) is not.
constexpr double kQuaternionTolerance = 1e-5;

Vector column(const Affine& a, std::size_t j) { return {a[j], a[4 + j], a[8 + j]}; }

double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

double cosine(const Vector& a, const Vector& b) { return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b)); }

double determinant(const Affine& a) {
  return a[0] * (a[5] * a[10] - a[6] * a[9]) - a[1] * (a[4] * a[10] - a[6] * a[8]) + a[2] * (a[4] * a[9] - a[5] * a[8]);
}

Affine sform_affine(const NiftiHeader& header) {
  Affine affine{};
  std::copy(header.srow.begin(), header.srow.end(), affine.begin());
  affine[15] = 1;
  return affine;
}

AxisMap nearest_axes(const Affine& affine) {
  const Vector spacing = affine_spacing(affine);
  std::array<Vector, 3> directions{};
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t axis = 0; axis < 3; ++axis) directions[row][axis] = affine[4 * row + axis] / spacing[axis];
  return assign_axes(directions);
}

// The largest angle between the directions that two affines give an axis of the volume.
double largest_angle(const Affine& a, const Affine& b) {
  double degrees = 0;
  for (std::size_t j = 0; j < 3; ++j) {
    const double c = std::clamp(cosine(column(a, j), column(b, j)), -1.0, 1.0);
    degrees = std::max(degrees, std::acos(c) * 180 / std::acos(-1.0));
  }
  return degrees;
}

// True if the voxel axis that runs left-right is so oblique that it could as well be another one.
bool is_uncertain(const AxisMap& map) {
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (map.target[axis] == 0) return map.degrees[axis] > kUncertainDegrees;
  return true;
}

// Why two affines do not say the same of left, right and the other directions of the patient, or nothing.
std::optional<std::string> disagreement(const Affine& a, const Affine& b) {
  if (determinant(a) * determinant(b) < 0) return "one is a mirror image of the other";
  const AxisMap map_a = nearest_axes(a);
  const AxisMap map_b = nearest_axes(b);
  const double degrees = largest_angle(a, b);
  if (axis_codes(map_a) != axis_codes(map_b)) {
    return concat("one says ", axis_codes(map_a), ", the other ", axis_codes(map_b), "; their axes differ by ", degrees,
                  " degrees");
  }
  if (degrees > kSameDegrees && (is_uncertain(map_a) || is_uncertain(map_b))) {
    return concat("their axes differ by ", degrees, " degrees, and the one from left to right is more than ",
                  kUncertainDegrees, " degrees off the patient's");
  }
  return std::nullopt;
}

// Describes how two affines that agree about directions differ by more than a registration makes them; empty if they do
// not.
std::optional<std::string> difference(const Affine& a, const Affine& b, const std::array<std::int64_t, 3>& shape) {
  const double degrees = largest_angle(a, b);
  if (degrees > kRegistrationDegrees) return concat("their axes differ by ", degrees, " degrees");
  const Vector spacing_a = affine_spacing(a);
  const Vector spacing_b = affine_spacing(b);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double ratio = std::max(spacing_a[axis] / spacing_b[axis], spacing_b[axis] / spacing_a[axis]);
    if (ratio > 1 + kRegistrationScale) return concat("their voxels differ by a factor of ", ratio);
  }
  Vector centre{};
  for (std::size_t row = 0; row < 3; ++row) {
    centre[row] = a[4 * row + 3] - b[4 * row + 3];
    for (std::size_t axis = 0; axis < 3; ++axis)
      centre[row] += static_cast<double>(shape[axis] - 1) / 2 * (a[4 * row + axis] - b[4 * row + axis]);
  }
  const double distance = std::sqrt(dot(centre, centre));
  if (distance > kRegistrationMm) return concat("they put the centre of the volume ", distance, " mm apart");
  return std::nullopt;
}

[[noreturn]] void refuse(const std::string& file, const char* field, std::size_t offset, const std::string& why) {
  fail_at(ErrorCode::Orientation, {.file = file, .field = field, .offset = detail_offset(offset)}, why);
}

constexpr const char* kPreferAdvice = "`--prefer-affine sform|qform` (API: preferAffine)";

// The header's sform or qform, fit for use.
Affine usable_affine(const NiftiHeader& header, const std::string& source, const std::string& file) {
  const bool is_sform = source == "sform";
  const std::optional<Affine> affine = is_sform ? sform_affine(header) : qform_affine(header);
  const std::optional<std::string> defect =
      affine ? affine_defect(*affine) : "its quaternion is not finite or longer than 1";
  if (!defect) return *affine;
  const bool has_other = is_sform ? header.qform_code > 0 : header.sform_code > 0;
  const std::string advice =
      has_other ? concat("; if the ", is_sform ? "qform" : "sform", " is right, choose it with ", kPreferAdvice) : "";
  refuse(file, source.c_str(), is_sform ? header.layout->srow : header.layout->quatern,
         concat("its ", source, " cannot give an orientation: ", *defect, advice));
}

void add_warnings(const NiftiHeader& header, ChosenAffine& chosen) {
  for (std::string& warning : geometry_warnings(chosen.affine, header.shape()))
    chosen.warnings.push_back(std::move(warning));
  if (const double shear = affine_shear(chosen.affine); shear > kShearWarning) {
    chosen.warnings.push_back(concat("shear: the axes are ", shear * 100, " % away from right angles"));
  }
  const Vector spacing = affine_spacing(chosen.affine);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double declared = header.pixdim[axis + 1];
    if (std::abs(spacing[axis] - declared) > kSpacingTolerance * declared) {
      chosen.warnings.push_back(concat("spacingMismatch: axis ", axis + 1, " has ", declared, " mm by pixdim and ",
                                       spacing[axis], " mm by the ", chosen.source));
    }
  }
}

}  // namespace

std::optional<std::string> affine_defect(const Affine& affine) {
  if (!std::all_of(affine.begin(), affine.end(), [](double value) { return std::isfinite(value); })) {
    return "it has infinite or undefined entries";
  }
  if (affine[12] != 0 || affine[13] != 0 || affine[14] != 0 || affine[15] != 1) return "its last row is not 0 0 0 1";
  for (const double spacing : affine_spacing(affine)) {
    if (spacing == 0) return "it is singular: one axis has no direction";
    if (!(spacing >= kMinSpacingMm && spacing <= kMaxSpacingMm)) {
      return concat("expected voxel sizes of ", kMinSpacingMm, " to ", kMaxSpacingMm, " mm, got ", spacing);
    }
  }
  const double shear = affine_shear(affine);
  if (shear > kParallel) return "it is singular: two axes have the same direction";
  // Also bounds how close to singular three axes can be: with all cosines below 0.2 the determinant is above 0.86.
  if (shear > kMaxShear)
    return concat("its axes are ", shear * 100, " % away from right angles, expected at most 20 %");
  return std::nullopt;
}

std::array<double, 3> affine_spacing(const Affine& affine) {
  Vector spacing{};
  for (std::size_t j = 0; j < 3; ++j) spacing[j] = std::sqrt(dot(column(affine, j), column(affine, j)));
  return spacing;
}

double affine_shear(const Affine& affine) {
  double shear = 0;
  for (std::size_t j = 0; j < 3; ++j) {
    shear = std::max(shear, std::abs(cosine(column(affine, j), column(affine, (j + 1) % 3))));
  }
  return shear;
}

std::optional<Affine> qform_affine(const NiftiHeader& header) {
  const auto [x, y, z] = header.quatern;
  const double w_squared = 1 - (x * x + y * y + z * z);
  if (!(w_squared >= -kQuaternionTolerance)) return std::nullopt;  // also if it is NaN
  const double epsilon = header.layout->version == 1 ? double{std::numeric_limits<float>::epsilon()}
                                                     : std::numeric_limits<double>::epsilon();
  // Within rounding of a half turn the angle's cosine is noise; nibabel takes it for 0 as well.
  const double w = w_squared > 3 * epsilon ? std::sqrt(w_squared) : 0;
  const double s = 2 / (w * w + x * x + y * y + z * z);
  const std::array<double, 9> rotation{1 - s * (y * y + z * z), s * (x * y - w * z),     s * (x * z + w * y),
                                       s * (x * y + w * z),     1 - s * (x * x + z * z), s * (y * z - w * x),
                                       s * (x * z - w * y),     s * (y * z + w * x),     1 - s * (x * x + y * y)};
  const double handedness = header.pixdim[0] < 0 ? -1 : 1;
  Affine affine{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t j = 0; j < 3; ++j) {
      affine[4 * row + j] = rotation[3 * row + j] * header.pixdim[j + 1] * (j == 2 ? handedness : 1);
    }
    affine[4 * row + 3] = header.qoffset[row];
  }
  affine[15] = 1;
  return affine;
}

ChosenAffine choose_affine(const NiftiHeader& header, const std::string& prefer, const std::string& file) {
  const bool has_sform = header.sform_code > 0;
  const bool has_qform = header.qform_code > 0;
  ChosenAffine chosen;
  if (!has_sform && !has_qform) {
    for (std::size_t axis = 0; axis < 3; ++axis) chosen.affine[5 * axis] = header.pixdim[axis + 1];
    chosen.affine[15] = 1;
    chosen.source = "none";
    return chosen;
  }
  chosen.source = has_sform && !(has_qform && prefer == "qform") ? "sform" : "qform";
  chosen.affine = usable_affine(header, chosen.source, file);
  if (has_sform && has_qform && prefer.empty()) {
    const Affine qform = usable_affine(header, "qform", file);
    if (const auto conflict = disagreement(chosen.affine, qform)) {
      refuse(file, "sform", header.layout->srow,
             concat("its sform and qform disagree (", *conflict,
                    "), so left and right are not certain; find out which "
                    "one is right and choose it with ",
                    kPreferAdvice));
    }
    if (const auto found = difference(chosen.affine, qform, header.shape())) {
      chosen.warnings.push_back(concat("affinesDiffer: sform and qform differ by more than a registration makes them (",
                                       *found, "); they agree about left and right, and the sform was taken"));
    }
  }
  add_warnings(header, chosen);
  return chosen;
}

}  // namespace brain3d::io
