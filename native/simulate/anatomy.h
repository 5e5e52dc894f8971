// The head that every simulated subject is drawn from: Colin27 with its lobes (assets/anatomy, tools/make_anatomy.py).
#pragma once

#include <string>

#include "image/image.h"
#include "simulate/noise.h"

namespace brain3d::simulate {

/// The tissues, numbered as tools/make_anatomy.py numbers them.
enum class Region : std::uint8_t {
  Outside,
  Frontal,
  Parietal,
  Temporal,
  Occipital,
  Insula,
  BasalGanglia,
  Thalamus,
  Cerebellum,
  Brainstem,
  CorpusCallosum,
  LateralVentricle,
};
inline constexpr std::size_t kNumRegions = 12;
/// "frontal", "basal_ganglia", ...; throws Usage for another name.
Region region_from_name(const std::string& name);
const char* region_name(Region region);

enum class Tissue : std::uint8_t { None, Csf, Grey, White };

/// A regular grid in the anatomy's millimetres (MNI): voxel (d, h, w) lies at origin + spacing * (w, h, d).
struct Frame {
  image::Size size{};
  Point origin_mm{};
  double spacing_mm = 1;

  /// Fractional (d, h, w).
  image::Vector index_of(const Point& place) const {
    return {(place[2] - origin_mm[2]) / spacing_mm, (place[1] - origin_mm[1]) / spacing_mm,
            (place[0] - origin_mm[0]) / spacing_mm};
  }
  Point place_of(std::int64_t d, std::int64_t h, std::int64_t w) const {
    return {origin_mm[0] + spacing_mm * static_cast<double>(w), origin_mm[1] + spacing_mm * static_cast<double>(h),
            origin_mm[2] + spacing_mm * static_cast<double>(d)};
  }
  bool contains(const image::Vector& index) const {
    for (std::size_t axis = 0; axis < 3; ++axis)
      if (!(index[axis] >= -0.5 && index[axis] <= static_cast<double>(size[axis]) - 0.5)) return false;
    return true;
  }
};

struct Anatomy {
  Frame frame;                       // 1 mm
  image::Image<float> t1;            // Colin27's own grey values, skull included
  image::Image<std::uint8_t> codes;  // region + 16 * tissue

  /// Coarse fields, for growth and for smooth maps.
  Frame coarse;                             // 2 mm; x = 0 is a plane of voxels
  image::Image<std::uint8_t> coarse_codes;  // as `codes`
  image::Image<float> brain;                // brain mask, blurred by 1.5 mm: 0.5 at the brain's surface
  image::Image<float> depth;                // blurred by 8 mm: 0.5 at the surface, 1 deep inside
  image::Image<float> ventricles;           // lateral ventricles, blurred by 4 mm

  Region region(std::uint8_t code) const { return static_cast<Region>(code & 15); }
  Tissue tissue(std::uint8_t code) const { return static_cast<Tissue>(code >> 4); }
  /// Code of the nearest voxel; 0 outside.
  std::uint8_t code_at(const Point& place) const;
};

/// Reads both volumes. Throws Format if they are not on one RAS grid of 1 mm with x = 0 on a voxel plane, and what
/// read_nifti throws.
Anatomy load_anatomy(const std::string& t1_path, const std::string& regions_path);

}  // namespace brain3d::simulate
