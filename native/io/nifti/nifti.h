// NIfTI-1 and NIfTI-2 volumes (.nii, .nii.gz). Reads what the standard allows and this project can use, and refuses the
// rest: nothing is repaired or guessed, least of all the orientation, on which left and right in a report depend.
//
// Axes: voxel (i, j, k) is stored at i + I * (j + J * k). The affine maps (i, j, k, 1) to millimetres in RAS+ world
// space: x grows to the patient's right, y to anterior, z to superior. Nothing is reordered here.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/large_memory.h"

namespace brain3d::io {

struct NiftiImage {
  std::array<std::int64_t, 3> shape{};  // (I, J, K), i fastest in memory
  LargeVector<float> voxels;            // I * J * K, raw * slope + inter in double, rounded once; may be non-finite
  std::array<double, 16> affine{};      // row-major 4x4; only the spacing means something if not has_orientation
  bool has_orientation = false;         // false if qform_code and sform_code are both 0
  std::string affine_source;            // "sform", "qform" or "none"
  std::array<double, 3> spacing_mm{};   // pixdim[1..3]
  std::string datatype;                 // as stored: "uint8", "float32", ...
  int version = 1;                      // NIfTI-1 or NIfTI-2
  bool big_endian = false;
  bool compressed = false;
  std::int64_t num_volumes = 1;
  std::vector<std::string> warnings;  // "<camelCase name>: <sentence>"
};

struct NiftiOptions {
  std::int64_t volume_index = -1;  // required where a 4-D file holds more than one volume; 0-based
  std::int64_t max_voxels = std::int64_t{1} << 28;
  std::string prefer = {};             // "sform" or "qform" where a file has both; empty: both, which must agree
  const CancelFlag* cancel = nullptr;  // looked at every 64 Ki voxels
};

/// Reads one volume. gzip is recognised by content, inflated to the end and its checksums verified.
/// Throws NotFound and Io as File does; Format if the file is malformed, damaged or no NIfTI file; Unsupported if it is
/// well-formed but not read (not 3-D, complex or colour voxels, too large, .hdr/.img pairs); Orientation if the affine
/// is unusable or qform and sform contradict each other; Usage if an option is out of range; Cancelled.
NiftiImage read_nifti(const std::string& path, const NiftiOptions& options = {});

/// Everything but the voxels, which stay empty; needs no volume_index. The data of a compressed file stay unread and
/// unverified. Throws as read_nifti does.
NiftiImage read_nifti_header(const std::string& path, const NiftiOptions& options = {});

/// The way in which voxels are stored. Integers are rounded to nearest and must fit.
enum class StoredAs { Float32, Int16, UInt8 };

struct NiftiOutput {
  std::array<std::int64_t, 3> shape{};  // (I, J, K)
  const float* voxels = nullptr;        // I * J * K, i fastest
  std::array<double, 16> affine{};      // voxel to RAS mm, row-major
  StoredAs stored_as = StoredAs::Float32;
  int compression_level = 6;           // gzip's level, 1 to 9
  const CancelFlag* cancel = nullptr;  // looked at every 64 KiB of output
};

/// Writes NIfTI-1, little-endian, atomically, compressed if the name ends in ".gz"; equal input gives equal
/// bytes. Holds geometry and voxels only: no description, no extension. The affine becomes the sform (code 1), and the
/// qform as well where a rotation with spacings can express it.
/// Throws Usage if shape or affine could not be read back by read_nifti or a voxel does not fit the datatype, Io if the
/// system refuses; Cancelled, and then nothing is left.
void write_nifti(const std::string& path, const NiftiOutput& output);

}  // namespace brain3d::io
