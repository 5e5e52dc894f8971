#include "volume/brain_mask.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "strip/background.h"
#include "strip/brain.h"
#include "strip/detect.h"
#include "volume/preprocess.h"

namespace brain3d::volume {

namespace {

constexpr double kSameMm = 0.01;  // tools round affines to float32, some of them twice
constexpr double kCutAreaMm2 =
    3000;  // the area of a mask's faces on the edge of the volume: more than a cut brainstem has

image::Image<float> to_image(const Volume& canonical) {
  const at::Tensor voxels = canonical.voxels.contiguous();
  const auto [width, height, depth] = canonical.shape_ijk();
  const auto [x, y, z] = voxel_sizes(canonical.affine);
  image::Image<float> out;
  out.size = {depth, height, width};
  out.spacing_mm = {z, y, x};
  out.voxels.assign(voxels.const_data_ptr<float>(), voxels.const_data_ptr<float>() + voxels.numel());
  return out;
}

/// A mask along canonical axes, brought onto `own`'s grid and axes.
at::Tensor on_axes_of(const Volume& own, const image::Mask& mask) {
  const auto bytes = at::from_blob(const_cast<std::uint8_t*>(mask.voxels.data()),
                                   {mask.size[0], mask.size[1], mask.size[2]}, at::TensorOptions().dtype(at::kByte));
  return from_canonical(bytes, own).to(at::kFloat);
}

bool has_voxels(const image::Mask& mask) {
  return std::find(mask.voxels.begin(), mask.voxels.end(), 1) != mask.voxels.end();
}

/// A mask on `volume`'s grid from voxels along its own axes.
Volume mask_of(const Volume& volume, at::Tensor voxels) {
  Volume out;
  out.voxels = std::move(voxels);
  out.affine = volume.affine;
  out.affine_source = volume.affine_source;
  out.datatype = "uint8";
  return out;
}

double voxel_ml(const Volume& volume) {
  const auto [x, y, z] = voxel_sizes(volume.affine);
  return x * y * z / 1000;
}

/// Area in mm^2 of the mask's voxels on the outermost planes.
double cut_area(const Volume& mask) {
  const auto spacing = voxel_sizes(mask.affine);
  double area = 0;
  for (std::int64_t array_axis = 0; array_axis < 3; ++array_axis) {
    const auto axis = static_cast<std::size_t>(2 - array_axis);
    const double face = spacing[(axis + 1) % 3] * spacing[(axis + 2) % 3];
    for (const std::int64_t plane : {std::int64_t{0}, mask.voxels.size(array_axis) - 1})
      area += face * mask.voxels.select(array_axis, plane).sum().item<double>();
  }
  return area;
}

/// Fills in volume and warnings, or refuses what cannot be a brain.
BrainMask judged(BrainMask found) {
  found.volume_ml = static_cast<double>(found.mask.voxels.count_nonzero().item<std::int64_t>()) * voxel_ml(found.mask);
  const double ml = std::round(found.volume_ml);
  B3D_CHECK(ml >= kMinBrainMl && ml <= kMaxBrainMl, Volume, "expected a brain of ", kMinBrainMl, " to ", kMaxBrainMl,
            " ml, got ", ml, " ml (", found.method,
            "); look at the volume, give a mask by another tool (--skull-strip command), or take it as it is "
            "(--skull-strip none)");
  if (ml < kSmallBrainMl || ml > kLargeBrainMl)
    found.warnings.push_back(concat("brainVolume: ", ml, " ml are ", ml < kSmallBrainMl ? "little" : "much",
                                    " for a brain; look at the mask"));
  if (const double area = cut_area(found.mask); area > kCutAreaMm2)
    found.warnings.push_back(concat("brainCutOff: the brain touches the edge of the volume over ",
                                    std::round(area / 100), " cm2; it may be cut off, or the mask be wrong"));
  return found;
}

void check_same_grid(const Volume& volume, const Volume& output) {
  B3D_CHECK(output.voxels.sizes() == volume.voxels.sizes(), Shape, "expected a volume of ", volume.voxels.sizes(),
            " voxels (D, H, W) in canonical axes from the command, got ", output.voxels.sizes(),
            "; it must write in the space of its input");
  // Affines that differ a little differ most at a corner.
  for (int corner = 0; corner < 8; ++corner) {
    const auto shape = volume.shape_ijk();
    double squared = 0;
    for (std::size_t row = 0; row < 3; ++row) {
      double difference = output.affine[4 * row + 3] - volume.affine[4 * row + 3];
      for (std::size_t axis = 0; axis < 3; ++axis)
        difference += (output.affine[4 * row + axis] - volume.affine[4 * row + axis]) *
                      ((corner >> axis & 1) != 0 ? static_cast<double>(shape[axis] - 1) : 0.0);
      squared += difference * difference;
    }
    B3D_CHECK(std::sqrt(squared) <= kSameMm, Shape,
              "expected a volume that lies where its input lies from the "
              "command, got one whose corner is ",
              std::sqrt(squared), " mm away");
  }
}

}  // namespace

BrainMask brain_mask(const Volume& volume, StripMethod method, const CancelFlag& cancel) {
  check_finite(volume.voxels);
  image::Image<float> head = to_image(canonicalise(volume));
  cancel.check();
  BrainMask out;
  const strip::Background background = strip::find_background(head);
  const bool is_scanners = strip::is_scanners(background, head);
  if (method == StripMethod::None) {
    out.method = "none";
    if (!is_scanners) out.mask = mask_of(volume, on_axes_of(volume, background.foreground));
    return out;
  }
  if (method == StripMethod::Auto) {
    strip::Detection found = strip::detect_stripped(head, background);
    out.reason = std::move(found.reason);
    if (found.is_stripped) {
      out.method = "already-stripped";
      out.mask = mask_of(volume, on_axes_of(volume, found.foreground));
      return judged(std::move(out));
    }
  }
  // A fill value is no air: it would move the levels that the surface goes by.
  if (!is_scanners) strip::darken(head, background.foreground, strip::dark_level(head, background.foreground));
  out.method = "bet";
  const image::Mask brain = strip::extract_brain(head, {}, cancel);
  head = {};  // a large head is hundreds of MiB
  out.mask = mask_of(volume, on_axes_of(volume, brain));
  return judged(std::move(out));
}

BrainMask mask_from_tool(const Volume& volume, const Volume& output) {
  check_finite(output.voxels, " from the skull-strip command", "look at what the command writes");
  const Volume canonical = canonicalise(output);
  check_same_grid(canonicalise(volume), canonical);
  BrainMask out;
  out.method = "command";
  // A stripped image may have another background than 0, where a later step of the tool's scaled it.
  const strip::Background background = strip::find_background(to_image(canonical));
  out.mask = mask_of(volume, has_voxels(background.foreground)
                                 ? on_axes_of(volume, background.foreground)
                                 : from_canonical(canonical.voxels.ne(0).to(at::kFloat), volume));
  return judged(std::move(out));
}

}  // namespace brain3d::volume
