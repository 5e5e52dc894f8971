#include "simulate/anatomy.h"

#include <cmath>

#include "base/error.h"
#include "image/filter.h"
#include "io/nifti/nifti.h"

namespace brain3d::simulate {

namespace {

constexpr std::array<const char*, kNumRegions> kRegionNames{
    "outside",       "frontal",  "parietal",   "temporal",  "occipital",       "insula",
    "basal_ganglia", "thalamus", "cerebellum", "brainstem", "corpus_callosum", "lateral_ventricle",
};

Frame frame_of(const io::NiftiImage& image, const std::string& path) {
  const auto& a = image.affine;
  bool plain = image.has_orientation;
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 3; ++column) plain = plain && a[4 * row + column] == (row == column ? 1 : 0);
  B3D_CHECK(plain && std::floor(a[3]) == a[3], Format,
            "expected an anatomy on a RAS grid of 1 mm with x = 0 on a plane ", "of voxels, got another affine in ",
            path.substr(path.rfind('/') + 1));
  return {{image.shape[2], image.shape[1], image.shape[0]}, {a[3], a[7], a[11]}, 1};
}

image::Image<float> indicator(const image::Image<std::uint8_t>& codes, bool (*belongs)(std::uint8_t)) {
  image::Image<float> out(codes.size, codes.spacing_mm);
  for (std::size_t i = 0; i < codes.voxels.size(); ++i) out.voxels[i] = belongs(codes.voxels[i]) ? 1 : 0;
  return out;
}

/// Every second voxel, beginning so that x = 0 is kept.
image::Image<std::uint8_t> thin_out(const image::Image<std::uint8_t>& codes, const Frame& from, const Frame& to) {
  image::Image<std::uint8_t> out(to.size, {to.spacing_mm, to.spacing_mm, to.spacing_mm});
  for (std::int64_t d = 0; d < to.size[0]; ++d)
    for (std::int64_t h = 0; h < to.size[1]; ++h)
      for (std::int64_t w = 0; w < to.size[2]; ++w) {
        const image::Vector index = from.index_of(to.place_of(d, h, w));
        out(d, h, w) = codes(static_cast<std::int64_t>(index[0]), static_cast<std::int64_t>(index[1]),
                             static_cast<std::int64_t>(index[2]));
      }
  return out;
}

}  // namespace

Region region_from_name(const std::string& name) {
  for (std::size_t i = 1; i < kNumRegions; ++i)
    if (name == kRegionNames[i]) return static_cast<Region>(i);
  fail(ErrorCode::Usage, "expected the name of a region of the brain, got '", name, "'");
}

const char* region_name(Region region) { return kRegionNames[static_cast<std::size_t>(region)]; }

std::uint8_t Anatomy::code_at(const Point& place) const {
  const image::Vector index = frame.index_of(place);
  if (!frame.contains(index)) return 0;
  return codes(std::lround(index[0]), std::lround(index[1]), std::lround(index[2]));
}

Anatomy load_anatomy(const std::string& t1_path, const std::string& regions_path) {
  io::NiftiImage t1 = io::read_nifti(t1_path);
  const io::NiftiImage regions = io::read_nifti(regions_path);
  Anatomy out;
  out.frame = frame_of(t1, t1_path);
  frame_of(regions, regions_path);
  B3D_CHECK(regions.affine == t1.affine && regions.shape == t1.shape, Format,
            "expected the anatomy's T1 and regions on one grid, got two");
  out.t1.size = out.frame.size;
  out.t1.voxels = std::move(t1.voxels);
  out.codes = image::Image<std::uint8_t>(out.frame.size, {1, 1, 1});
  for (std::size_t i = 0; i < regions.voxels.size(); ++i) {
    const float code = regions.voxels[i];
    B3D_CHECK(code >= 0 && code < 64 && (static_cast<int>(code) & 15) < static_cast<int>(kNumRegions), Format,
              "expected region codes from 0 to 63, got ", code);
    out.codes.voxels[i] = static_cast<std::uint8_t>(code);
  }

  out.coarse.spacing_mm = 2;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const bool is_odd = static_cast<std::int64_t>(out.frame.origin_mm[axis]) % 2 != 0;
    out.coarse.origin_mm[axis] = out.frame.origin_mm[axis] + (is_odd ? 1 : 0);
    out.coarse.size[2 - axis] = (out.frame.size[2 - axis] - (is_odd ? 1 : 0) + 1) / 2;
  }
  out.coarse_codes = thin_out(out.codes, out.frame, out.coarse);
  const auto brain = indicator(out.coarse_codes, [](std::uint8_t code) { return code != 0; });
  const auto ventricles = indicator(out.coarse_codes, [](std::uint8_t code) {
    return (code & 15) == static_cast<std::uint8_t>(Region::LateralVentricle);
  });
  out.brain = image::gaussian_blur(brain, {1.5, 1.5, 1.5});
  out.depth = image::gaussian_blur(brain, {8, 8, 8});
  out.ventricles = image::gaussian_blur(ventricles, {4, 4, 4});
  return out;
}

}  // namespace brain3d::simulate
