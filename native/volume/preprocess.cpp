#include "volume/preprocess.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/large_memory.h"
#include "image/background.h"
#include "image/quantile.h"

namespace brain3d::volume {

namespace {

/// Moves the origin by `voxels` steps along voxel axis `axis`.
void shift_origin(Affine& affine, std::size_t axis, double voxels) {
  for (std::size_t row = 0; row < 3; ++row) affine[4 * row + 3] += voxels * affine[4 * row + axis];
}

/// Voxels in `mask`, or all of them.
LargeVector<float> kept_voxels(const Volume& volume, const Volume* mask) {
  const at::Tensor voxels = volume.voxels.contiguous();
  const auto* begin = voxels.const_data_ptr<float>();
  if (mask == nullptr) return {begin, begin + voxels.numel()};
  const at::Tensor inside = mask->voxels.to(at::kFloat).contiguous();
  const auto* in_mask = inside.const_data_ptr<float>();
  LargeVector<float> out;
  out.reserve(static_cast<std::size_t>(inside.ne(0).sum().item<std::int64_t>()));
  for (std::int64_t i = 0; i < voxels.numel(); ++i)
    if (in_mask[i] != 0) out.push_back(begin[i]);
  return out;
}

void check_percentiles(double lower, double upper) {
  B3D_CHECK(lower >= 0 && lower < upper && upper <= 100, Usage, "expected percentiles 0 <= lower < upper <= 100, got ",
            lower, " and ", upper);
}

void check_range(double low, double high, double lower_percentile, double upper_percentile) {
  B3D_CHECK(high > low, Volume, "expected an image, got a volume whose ", lower_percentile, "th and ", upper_percentile,
            "th percentiles are both ", low, "; it is constant or nearly empty");
}

/// Array axes of `volume` in canonical order, and those that run the other way.
struct ArrayAxes {
  std::vector<std::int64_t> order, flipped;
};

ArrayAxes array_axes(const AxisMap& map) {
  // Array axis of voxel axis a (i, j, k) is 2 - a; canonical array axis of patient axis t is 2 - t.
  ArrayAxes out;
  out.order.resize(3);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto array_axis = static_cast<std::int64_t>(2 - axis);
    out.order[static_cast<std::size_t>(2 - map.target[axis])] = array_axis;
    if (map.flip[axis]) out.flipped.push_back(array_axis);
  }
  return out;
}

}  // namespace

void check_finite(const at::Tensor& voxels, const char* source, const char* advice) {
  const auto num_bad = voxels.numel() - at::isfinite(voxels).sum().item<std::int64_t>();
  B3D_CHECK(num_bad == 0, Volume, "expected finite voxels", source, ", got ", num_bad, " of ", voxels.numel(),
            " that are NaN or infinite; ", advice);
}

Volume canonicalise(const Volume& volume) {
  const AxisMap map = nearest_axes(volume.affine);
  const ArrayAxes axes = array_axes(map);
  Volume out = volume;
  out.affine = canonical_affine(volume.affine, map, volume.shape_ijk());
  out.voxels = volume.voxels.flip(axes.flipped).permute(axes.order).contiguous();
  return out;
}

at::Tensor from_canonical(const at::Tensor& voxels, const Volume& own) {
  const ArrayAxes axes = array_axes(nearest_axes(own.affine));
  std::vector<std::int64_t> back(3);
  for (std::size_t axis = 0; axis < 3; ++axis)
    back[static_cast<std::size_t>(axes.order[axis])] = static_cast<std::int64_t>(axis);
  return voxels.permute(back).flip(axes.flipped).contiguous();
}

float background_level(const Volume& volume, const Volume* mask, double lower_percentile, double upper_percentile) {
  check_percentiles(lower_percentile, upper_percentile);
  check_finite(volume.voxels);
  B3D_CHECK(mask == nullptr || mask->voxels.sizes() == volume.voxels.sizes(), Shape, "expected a mask of ",
            volume.voxels.sizes(), " voxels (D, H, W), got ", mask->voxels.sizes());
  LargeVector<float> kept = kept_voxels(volume, mask);
  B3D_CHECK(!kept.empty(), Volume, "expected a brain, got a mask without a voxel in it");
  const double low = image::percentile(kept, lower_percentile);
  const double high = image::percentile(kept, upper_percentile);
  check_range(low, high, lower_percentile, upper_percentile);
  return mask == nullptr ? static_cast<float>(low) : image::background_level(low, high);
}

Volume apply_mask(const Volume& volume, const Volume& mask, float background) {
  Volume out = volume;
  out.voxels = at::where(mask.voxels.ne(0), volume.voxels, background).to(at::kFloat);
  return out;
}

Volume pad_to_square(const Volume& volume, float background) {
  const auto height = volume.voxels.size(1), width = volume.voxels.size(2);
  if (height == width) return volume;
  const auto side = std::max(height, width);
  const auto top = (side - height) / 2, left = (side - width) / 2;
  Volume out = volume;
  out.voxels = at::constant_pad_nd(volume.voxels, {left, side - width - left, top, side - height - top}, background);
  shift_origin(out.affine, 0, -static_cast<double>(left));
  shift_origin(out.affine, 1, -static_cast<double>(top));
  return out;
}

Volume rescale_intensity(const Volume& volume, double lower_percentile, double upper_percentile) {
  check_percentiles(lower_percentile, upper_percentile);
  check_finite(volume.voxels);
  const at::Tensor flat = volume.voxels.contiguous();
  const auto* in = flat.const_data_ptr<float>();
  LargeVector<float> values(in, in + flat.numel());
  const double low = image::percentile(values, lower_percentile);
  const double high = image::percentile(values, upper_percentile);
  check_range(low, high, lower_percentile, upper_percentile);
  Volume out = volume;
  out.voxels = at::empty_like(flat);
  auto* scaled = out.voxels.mutable_data_ptr<float>();
  const double range = high - low;
  at::parallel_for(0, flat.numel(), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      scaled[i] = static_cast<float>(std::clamp((static_cast<double>(in[i]) - low) / range, 0.0, 1.0));
  });
  return out;
}

Volume resize(const Volume& volume, const std::array<std::int64_t, 3>& size) {
  Volume out = volume;
  out.voxels = at::upsample_trilinear3d(volume.voxels.unsqueeze(0).unsqueeze(0), size, /*align_corners=*/false)
                   .squeeze(0)
                   .squeeze(0);
  // Output index o lies at input index (o + 0.5) * scale - 0.5.
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto array_axis = static_cast<std::int64_t>(2 - axis);
    const double scale = static_cast<double>(volume.voxels.size(array_axis)) / static_cast<double>(size[2 - axis]);
    shift_origin(out.affine, axis, 0.5 * scale - 0.5);
    for (std::size_t row = 0; row < 3; ++row) out.affine[4 * row + axis] *= scale;
  }
  return out;
}

Volume preprocess(const Volume& volume, const PreprocessOptions& options, const CancelFlag& cancel) {
  for (const std::int64_t side : options.size)
    B3D_CHECK(side >= 1 && side <= 4096, Usage, "expected output sides from 1 to 4096, got ", side);
  const float background =
      background_level(volume, options.mask.get(), options.lower_percentile, options.upper_percentile);
  cancel.check();
  // A mask lies on the volume's own grid, so that it is applied before the axes move.
  Volume out = canonicalise(options.mask ? apply_mask(volume, *options.mask, background) : volume);
  cancel.check();
  out = pad_to_square(out, background);
  out = rescale_intensity(out, options.lower_percentile, options.upper_percentile);
  cancel.check();
  return resize(out, options.size);
}

}  // namespace brain3d::volume
