#include <algorithm>
#include <cmath>
#include <limits>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/file.h"
#include "io/gzip.h"
#include "io/nifti/affine.h"
#include "io/nifti/nifti.h"

namespace brain3d::io {
namespace {

struct Storage {
  std::int16_t code;  // NIfTI's datatype
  std::int16_t bits;
};

constexpr Storage storage(StoredAs stored_as) {
  switch (stored_as) {
    case StoredAs::UInt8: return {2, 8};
    case StoredAs::Int16: return {4, 16};
    default: return {16, 32};
  }
}

constexpr std::int16_t kScannerCode = 1;
constexpr std::byte kMillimetres{2};
// Above this the qform, which cannot express shear, would differ visibly from the sform.
constexpr double kMaxQformShear = 1e-4;

struct Quaternion {
  double w, x, y, z;
};

// The quaternion of a rotation matrix (row-major). This solves for the largest component first, so that no division is
// by a small number.
Quaternion rotation_to_quaternion(const std::array<double, 9>& r) {
  const double trace = r[0] + r[4] + r[8];
  const std::array<double, 4> squares{1 + trace, 1 + 2 * r[0] - trace, 1 + 2 * r[4] - trace, 1 + 2 * r[8] - trace};
  const auto largest = std::max_element(squares.begin(), squares.end()) - squares.begin();
  const double root = std::sqrt(squares[static_cast<std::size_t>(largest)]);
  const double s = 0.5 / root;
  Quaternion q{};
  switch (largest) {
    case 0: q = {root / 2, (r[7] - r[5]) * s, (r[2] - r[6]) * s, (r[3] - r[1]) * s}; break;
    case 1: q = {(r[7] - r[5]) * s, root / 2, (r[1] + r[3]) * s, (r[2] + r[6]) * s}; break;
    case 2: q = {(r[2] - r[6]) * s, (r[1] + r[3]) * s, root / 2, (r[5] + r[7]) * s}; break;
    default: q = {(r[3] - r[1]) * s, (r[2] + r[6]) * s, (r[5] + r[7]) * s, root / 2}; break;
  }
  // The header has no place for w and takes it as positive.
  if (q.w < 0) q = {-q.w, -q.x, -q.y, -q.z};
  return q;
}

void store_float(std::byte* header, std::size_t offset, double value) {
  store(header + offset, static_cast<float>(value));
}

void store_qform(std::byte* header, const Affine& affine, const std::array<double, 3>& spacing) {
  std::array<double, 9> rotation{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t j = 0; j < 3; ++j) rotation[3 * row + j] = affine[4 * row + j] / spacing[j];
  }
  const double determinant = rotation[0] * (rotation[4] * rotation[8] - rotation[5] * rotation[7]) -
                             rotation[1] * (rotation[3] * rotation[8] - rotation[5] * rotation[6]) +
                             rotation[2] * (rotation[3] * rotation[7] - rotation[4] * rotation[6]);
  if (determinant < 0) {
    for (const std::size_t entry : {std::size_t{2}, std::size_t{5}, std::size_t{8}}) rotation[entry] = -rotation[entry];
  }
  const NiftiLayout& at = kNifti1Layout;
  const Quaternion q = rotation_to_quaternion(rotation);
  store(header + at.qform_code, kScannerCode);
  store_float(header, at.pixdim, determinant < 0 ? -1 : 1);
  store_float(header, at.quatern, q.x);
  store_float(header, at.quatern + 4, q.y);
  store_float(header, at.quatern + 8, q.z);
  for (std::size_t row = 0; row < 3; ++row) store_float(header, at.qoffset + 4 * row, affine[4 * row + 3]);
}

std::array<std::byte, kNifti1HeaderBytes + kNiftiExtenderBytes> make_header(const NiftiOutput& output) {
  std::array<std::byte, kNifti1HeaderBytes + kNiftiExtenderBytes> bytes{};
  std::byte* header = bytes.data();
  const NiftiLayout& at = kNifti1Layout;
  const std::array<double, 3> spacing = affine_spacing(output.affine);
  store(header, static_cast<std::int32_t>(kNifti1HeaderBytes));
  store(header + at.dim, std::int16_t{3});
  store_float(header, at.pixdim, 1);
  for (std::size_t axis = 0; axis < 7; ++axis) {
    store(header + at.dim + 2 * (axis + 1), static_cast<std::int16_t>(axis < 3 ? output.shape[axis] : 1));
    store_float(header, at.pixdim + 4 * (axis + 1), axis < 3 ? spacing[axis] : 1);
  }
  store(header + at.datatype, storage(output.stored_as).code);
  store(header + at.bitpix, storage(output.stored_as).bits);
  store_float(header, at.vox_offset, static_cast<double>(bytes.size()));
  store_float(header, at.scl_slope, 1);
  header[at.xyzt_units] = kMillimetres;
  store(header + at.sform_code, kScannerCode);
  for (std::size_t i = 0; i < 12; ++i) store_float(header, at.srow + 4 * i, output.affine[i]);
  if (affine_shear(output.affine) <= kMaxQformShear) store_qform(header, output.affine, spacing);
  store(header + at.magic, std::array<char, 4>{'n', '+', '1', '\0'});
  return bytes;
}

/// Appends the voxels as `T`, rounded.
template <typename T>
void append_integers(std::string& bytes, const NiftiOutput& output, std::size_t num_voxels, const std::string& name) {
  std::vector<T> values(num_voxels);
  constexpr auto kLowest = static_cast<float>(std::numeric_limits<T>::min());
  constexpr auto kHighest = static_cast<float>(std::numeric_limits<T>::max());
  for (std::size_t i = 0; i < num_voxels; ++i) {
    const float rounded = std::nearbyint(output.voxels[i]);
    if (!(rounded >= kLowest && rounded <= kHighest)) {
      fail_at(ErrorCode::Usage, {.file = name}, "write_nifti: expected voxels from ", kLowest, " to ", kHighest,
              " for this datatype, got ", output.voxels[i]);
    }
    values[i] = static_cast<T>(rounded);
  }
  bytes.append(reinterpret_cast<const char*>(values.data()), num_voxels * sizeof(T));
}

/// The whole file, uncompressed.
std::string make_file(const NiftiOutput& output, std::size_t num_voxels, const std::string& name) {
  const auto header = make_header(output);
  std::string bytes;
  bytes.reserve(header.size() + num_voxels * static_cast<std::size_t>(storage(output.stored_as).bits) / 8);
  bytes.append(reinterpret_cast<const char*>(header.data()), header.size());
  switch (output.stored_as) {
    case StoredAs::UInt8: append_integers<std::uint8_t>(bytes, output, num_voxels, name); break;
    case StoredAs::Int16: append_integers<std::int16_t>(bytes, output, num_voxels, name); break;
    case StoredAs::Float32:
      bytes.append(reinterpret_cast<const char*>(output.voxels), num_voxels * sizeof(float));
      break;
  }
  return bytes;
}

}  // namespace

void write_nifti(const std::string& path, const NiftiOutput& output) {
  const std::string name = base_name(path);
  std::size_t num_voxels = 1;
  for (const std::int64_t length : output.shape) {
    if (length < 1 || length > kMaxAxisVoxels) {
      fail_at(ErrorCode::Usage, {.file = name}, "write_nifti: expected 1 to ", kMaxAxisVoxels,
              " voxels along each axis, got ", length);
    }
    num_voxels *= static_cast<std::size_t>(length);
  }
  if (const std::optional<std::string> defect = affine_defect(output.affine)) {
    fail_at(ErrorCode::Usage, {.file = name}, "write_nifti: expected a usable affine: ", *defect);
  }
  if (output.voxels == nullptr) fail_at(ErrorCode::Usage, {.file = name}, "write_nifti: expected voxels");

  std::string bytes = make_file(output, num_voxels, name);
  if (path.ends_with(".gz")) bytes = gzip_compress(bytes, output.compression_level, output.cancel);
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace brain3d::io
