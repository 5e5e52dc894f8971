// The NIfTI header as numbers, and the checks that need nothing else. Used by the NIfTI reader and writer alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace brain3d::io {

inline constexpr std::size_t kNifti1HeaderBytes = 348;
inline constexpr std::size_t kNifti2HeaderBytes = 540;
inline constexpr std::size_t kNiftiExtenderBytes = 4;
inline constexpr std::int64_t kMaxAxisVoxels = 4096;
inline constexpr double kMinSpacingMm = 0.1;
inline constexpr double kMaxSpacingMm = 20.0;

/// Byte offsets of the fields that are read.
struct NiftiLayout {
  int version;
  std::size_t header_bytes;
  std::size_t magic, datatype, bitpix, dim, pixdim, vox_offset, scl_slope, scl_inter, xyzt_units, qform_code,
      sform_code, quatern, qoffset, srow;
};

extern const NiftiLayout kNifti1Layout;
extern const NiftiLayout kNifti2Layout;

struct NiftiDatatype {
  int code;
  const char* name;
  int bits;
  bool readable;
};

struct NiftiHeader {
  const NiftiLayout* layout = nullptr;
  bool big_endian = false;
  std::array<std::int64_t, 8> dim{};
  const NiftiDatatype* datatype = nullptr;
  std::array<double, 8> pixdim{};
  std::uint64_t vox_offset = 0;
  double slope = 1;  // 1 and 0 where the file is unscaled
  double inter = 0;
  std::int64_t xyzt_units = 0;
  std::int64_t qform_code = 0;
  std::int64_t sform_code = 0;
  std::array<double, 3> quatern{};  // b, c, d
  std::array<double, 3> qoffset{};
  std::array<double, 12> srow{};  // three rows of four

  std::array<std::int64_t, 3> shape() const { return {dim[1], dim[2], dim[3]}; }
  std::int64_t num_volumes() const { return dim[0] >= 4 ? dim[4] : 1; }
};

/// Parses and checks the header at the start of `bytes` (the file's first bytes, inflated; may be cut off).
/// `file` is its name for messages. Checked: size and magic, dimensions, data type, offset, scaling, spacing; not
/// checked: the affines.
/// Throws Format or Unsupported as read_nifti says.
NiftiHeader parse_nifti_header(std::span<const std::byte> bytes, const std::string& file);

}  // namespace brain3d::io
