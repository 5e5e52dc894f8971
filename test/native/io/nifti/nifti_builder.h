// NIfTI files made field by field, for the tests of the reader.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "io/gzip.h"
#include "io/io_test_support.h"
#include "io/nifti/header.h"
#include "io/nifti/nifti.h"

namespace brain3d::io::test {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

// Bytes of a NIfTI file in either version and byte order, whose fields can be overwritten.
class NiftiBuilder {
 public:
  explicit NiftiBuilder(const NiftiLayout& layout = kNifti1Layout, bool big_endian = false)
      : layout_(layout), big_endian_(big_endian), bytes_(layout.header_bytes + 4, '\0') {
    put(0, static_cast<std::int32_t>(layout.header_bytes));
    bytes_.replace(layout.magic, layout.version == 1 ? 4 : 8,
                   layout.version == 1 ? std::string("n+1\0", 4) : std::string("n+2\0\r\n\032\n", 8));
    dim({3, 3, 4, 5});
    type(4, 16);
    for (std::size_t axis = 0; axis < 8; ++axis) real(layout.pixdim, axis, axis == 3 ? 2 : 1);
    vox_offset(static_cast<double>(bytes_.size()));
    units(2);
    sform(1, {-1, 0, 0, 10, 0, -1, 0, 20, 0, 0, 2, 30});
    for (std::int16_t i = 0; i < 60; ++i) append(i);
  }

  template <typename T>
  NiftiBuilder& put(std::size_t offset, T value) {
    const std::string text = encode(value);
    bytes_.replace(offset, text.size(), text);
    return *this;
  }
  template <typename T>
  NiftiBuilder& append(T value) {
    bytes_ += encode(value);
    return *this;
  }
  NiftiBuilder& real(std::size_t offset, std::size_t index, double value) {
    return layout_.version == 2 ? put(offset + 8 * index, value) : put(offset + 4 * index, static_cast<float>(value));
  }
  NiftiBuilder& dim(const std::vector<std::int64_t>& sizes) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      layout_.version == 2 ? put(layout_.dim + 8 * i, sizes[i])
                           : put(layout_.dim + 2 * i, static_cast<std::int16_t>(sizes[i]));
    }
    return *this;
  }
  NiftiBuilder& type(std::int16_t code, std::int16_t bits) {
    return put(layout_.datatype, code).put(layout_.bitpix, bits);
  }
  NiftiBuilder& pixdim(std::size_t axis, double value) { return real(layout_.pixdim, axis, value); }
  NiftiBuilder& scaling(double slope, double inter) {
    return real(layout_.scl_slope, 0, slope).real(layout_.scl_inter, 0, inter);
  }
  NiftiBuilder& vox_offset(double offset) {
    return layout_.version == 2 ? put(layout_.vox_offset, static_cast<std::int64_t>(offset))
                                : put(layout_.vox_offset, static_cast<float>(offset));
  }
  NiftiBuilder& units(int code) {
    return layout_.version == 2 ? put(layout_.xyzt_units, std::int32_t{code})
                                : put(layout_.xyzt_units, static_cast<std::int8_t>(code));
  }
  NiftiBuilder& sform(int code, const std::vector<double>& rows = {}) {
    this->code(layout_.sform_code, code);
    for (std::size_t i = 0; i < rows.size(); ++i) real(layout_.srow, i, rows[i]);
    return *this;
  }
  NiftiBuilder& qform(int code, const std::array<double, 3>& quatern, const std::array<double, 3>& offset,
                      double qfac = 1) {
    this->code(layout_.qform_code, code);
    for (std::size_t i = 0; i < 3; ++i) real(layout_.quatern, i, quatern[i]).real(layout_.qoffset, i, offset[i]);
    return pixdim(0, qfac);
  }
  // Drops the voxels.
  NiftiBuilder& no_data() {
    bytes_.resize(layout_.header_bytes + 4);
    return *this;
  }
  NiftiBuilder& text(const std::string& more) {
    bytes_ += more;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }
  const NiftiLayout& layout() const { return layout_; }

 private:
  template <typename T>
  std::string encode(T value) const {
    std::string text = raw(value);
    return big_endian_ ? std::string(text.rbegin(), text.rend()) : text;
  }
  NiftiBuilder& code(std::size_t offset, int value) {
    return layout_.version == 2 ? put(offset, std::int32_t{value}) : put(offset, static_cast<std::int16_t>(value));
  }

  const NiftiLayout& layout_;
  bool big_endian_;
  std::string bytes_;
};

inline NiftiImage read_bytes(const TempDir& dir, const std::string& bytes, const NiftiOptions& options = {}) {
  return read_nifti(dir.write("v.nii", bytes), options);
}

inline bool has_warning(const NiftiImage& image, const std::string& name) {
  for (const std::string& warning : image.warnings) {
    if (warning.starts_with(name + ":")) return true;
  }
  return false;
}

}  // namespace brain3d::io::test
