#include "io/nifti/plausible.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

#include "base/error.h"

namespace brain3d::io {
namespace {

constexpr double kStraight = 1e-4;  // the deviation of a voxel axis from its patient axis, relative
// The bounds of a field of view that holds a head and not much more; a brain is 110 mm and more along each axis.
constexpr double kMinExtentMm = 90;
constexpr double kMaxExtentMm = 400;
// Between slices, beside the pixels' spacing.
constexpr double kThickSlices = 1.5;
constexpr double kFewSlices = 0.5;
constexpr double kSameSpacing = 0.01;
constexpr std::array<double, 3> kSri24Mm{240, 240, 155};
constexpr double kSri24Tolerance = 0.03;
constexpr const char* kArrayOnly = "as tools write it that know only an array";

// A volume whose voxel axes run along the patient's, by patient axis (right, anterior, superior).
struct StraightVolume {
  struct Axis {
    double spacing = 0;  // mm
    double voxels = 0;
    double begin = 0;  // mm, of the voxel with the smallest coordinate
    double end = 0;
    std::size_t voxel_axis = 0;

    double extent() const { return spacing * voxels; }
  };
  std::array<Axis, 3> axes;
};

std::optional<StraightVolume> straight(const std::array<double, 16>& affine, const std::array<std::int64_t, 3>& shape) {
  StraightVolume volume;
  std::array<bool, 3> taken{};
  for (std::size_t j = 0; j < 3; ++j) {
    std::size_t row = 0;
    for (std::size_t other = 1; other < 3; ++other)
      if (std::abs(affine[4 * other + j]) > std::abs(affine[4 * row + j])) row = other;
    const double step = affine[4 * row + j];
    for (std::size_t other = 0; other < 3; ++other)
      if (other != row && std::abs(affine[4 * other + j]) > kStraight * std::abs(step)) return std::nullopt;
    if (taken[row]) return std::nullopt;
    taken[row] = true;
    const double first = affine[4 * row + 3];
    const double last = first + step * static_cast<double>(shape[j] - 1);
    volume.axes[row] = {.spacing = std::abs(step),
                        .voxels = static_cast<double>(shape[j]),
                        .begin = std::min(first, last),
                        .end = std::max(first, last),
                        .voxel_axis = j};
  }
  return volume;
}

// SRI24's grid lies to the left of the origin, before it and above it.
bool is_sri24(const StraightVolume& volume) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double expected = kSri24Mm[axis];
    if (std::abs(volume.axes[axis].extent() - expected) > kSri24Tolerance * expected) return false;
  }
  const auto& [right, anterior, superior] = volume.axes;
  const auto near_zero = [](double mm, const StraightVolume::Axis& axis) { return std::abs(mm) <= axis.spacing; };
  return near_zero(right.end, right) && near_zero(anterior.begin, anterior) && near_zero(superior.begin, superior);
}

bool has_corner_at_origin(const StraightVolume& volume) {
  return std::all_of(volume.axes.begin(), volume.axes.end(), [](const StraightVolume::Axis& axis) {
    return std::min(std::abs(axis.begin), std::abs(axis.end)) <= axis.spacing;
  });
}

// Half the shape, in millimetres or, by a mistake that is made, in voxels.
bool has_centre_at_origin(const StraightVolume& volume) {
  const auto all = [&](auto&& is_half) { return std::all_of(volume.axes.begin(), volume.axes.end(), is_half); };
  return all([](const StraightVolume::Axis& axis) {
           return std::abs(axis.begin + axis.end) / 2 <= 0.51 * axis.spacing;
         }) ||
         all([](const StraightVolume::Axis& axis) {
           const double start = std::min(std::abs(axis.begin), std::abs(axis.end));
           return std::abs(start - axis.voxels / 2) <= 0.51 || std::abs(axis.begin + axis.voxels / 2) <= 0.51;
         });
}

// Describes why the axes do not look like those of a head; empty if they do.
std::optional<std::string> odd_axes(const StraightVolume& volume) {
  constexpr std::array<const char*, 3> kNames{"left-right", "anterior-posterior", "superior-inferior"};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double extent = volume.axes[axis].extent();
    if (extent < kMinExtentMm || extent > kMaxExtentMm) {
      return concat("the volume is ", extent, " mm long along the axis that it calls ", kNames[axis],
                    ", as no head is: spacings or axes are wrong");
    }
  }
  // Converters put slices along the last voxel axis, so slices along another one mean that axes were exchanged.
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const StraightVolume::Axis& one = volume.axes[axis];
    const StraightVolume::Axis& a = volume.axes[(axis + 1) % 3];
    const StraightVolume::Axis& b = volume.axes[(axis + 2) % 3];
    const bool has_slices = one.spacing > kThickSlices * std::max(a.spacing, b.spacing) ||
                            one.voxels < kFewSlices * std::min(a.voxels, b.voxels);
    if (has_slices && (axis != 2 || one.voxel_axis != 2)) {
      return concat("its slices seem to lie along voxel axis ", one.voxel_axis + 1, ", which it calls ", kNames[axis],
                    "; the axes may have been exchanged");
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> geometry_warnings(const std::array<double, 16>& affine,
                                           const std::array<std::int64_t, 3>& shape) {
  constexpr std::array<double, 16> kIdentity{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  const std::optional<StraightVolume> volume = straight(affine, shape);
  if (!volume || is_sri24(*volume)) return {};
  const std::optional<std::string> odd = odd_axes(*volume);
  std::string warning;
  if (affine == kIdentity) {
    warning = "identityAffine: the affine is the identity, which some tools write without knowing the orientation";
  } else if (has_corner_at_origin(*volume)) {
    warning = concat("cornerOrigin: the axes are straight and a corner of the volume is the origin, ", kArrayOnly);
  } else if (has_centre_at_origin(*volume)) {
    warning = concat("centreOrigin: the axes are straight and the volume's centre is the origin, ", kArrayOnly);
  } else {
    const bool is_unit = std::all_of(volume->axes.begin(), volume->axes.end(), [](const StraightVolume::Axis& axis) {
      return std::abs(axis.spacing - 1) <= kSameSpacing;
    });
    if (!is_unit || !odd) return {};
    return {concat("implausibleAxes: every spacing is 1 mm, and ", *odd)};
  }
  if (odd) return {concat(warning, ", and ", *odd, "; left and right are probably not what the header says")};
  return {concat(warning, "; left and right may be wrong")};
}

}  // namespace brain3d::io
