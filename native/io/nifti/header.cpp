#include "io/nifti/header.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <string_view>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/sniff.h"

namespace brain3d::io {

// nifti1.h and nifti2.h of the NIfTI working group.
const NiftiLayout kNifti1Layout{.version = 1,
                                .header_bytes = kNifti1HeaderBytes,
                                .magic = 344,
                                .datatype = 70,
                                .bitpix = 72,
                                .dim = 40,
                                .pixdim = 76,
                                .vox_offset = 108,
                                .scl_slope = 112,
                                .scl_inter = 116,
                                .xyzt_units = 123,
                                .qform_code = 252,
                                .sform_code = 254,
                                .quatern = 256,
                                .qoffset = 268,
                                .srow = 280};
const NiftiLayout kNifti2Layout{.version = 2,
                                .header_bytes = kNifti2HeaderBytes,
                                .magic = 4,
                                .datatype = 12,
                                .bitpix = 14,
                                .dim = 16,
                                .pixdim = 104,
                                .vox_offset = 168,
                                .scl_slope = 176,
                                .scl_inter = 184,
                                .xyzt_units = 500,
                                .qform_code = 344,
                                .sform_code = 348,
                                .quatern = 352,
                                .qoffset = 376,
                                .srow = 400};

namespace {

constexpr std::array<NiftiDatatype, 17> kDatatypes{{
    {2, "uint8", 8, true},
    {4, "int16", 16, true},
    {8, "int32", 32, true},
    {16, "float32", 32, true},
    {64, "float64", 64, true},
    {256, "int8", 8, true},
    {512, "uint16", 16, true},
    {768, "uint32", 32, true},
    {1024, "int64", 64, true},
    {1280, "uint64", 64, true},
    {1, "binary", 1, false},
    {32, "complex64", 64, false},
    {128, "RGB24", 24, false},
    {1536, "float128", 128, false},
    {1792, "complex128", 128, false},
    {2048, "complex256", 256, false},
    {2304, "RGBA32", 32, false},
}};
constexpr const char* kPairAdvice =
    "; it may be the voxels of a two-file volume, whose header is in the .hdr beside it: convert the pair to one .nii "
    "file";
constexpr std::string_view kMagic2("n+2\0\r\n\032\n", 8);

// Reads fields by the layout: NIfTI-2 has the wider types.
class HeaderParser {
 public:
  HeaderParser(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  NiftiHeader parse() {
    find_layout();
    check_magic();
    require_bytes(layout_->header_bytes + kNiftiExtenderBytes);
    NiftiHeader header;
    header.layout = layout_;
    header.big_endian = swap_;
    for (std::size_t i = 0; i < 8; ++i) header.dim[i] = dimension(i);
    for (std::size_t i = 0; i < 8; ++i) header.pixdim[i] = real(layout_->pixdim, i);
    check_dimensions(header.dim);
    check_spacing(header.pixdim);
    header.datatype = read_datatype();
    header.vox_offset = read_vox_offset();
    read_scaling(header);
    const bool wide = layout_->version == 2;
    header.xyzt_units = wide ? number<std::int32_t>(layout_->xyzt_units) : number<std::uint8_t>(layout_->xyzt_units);
    header.qform_code = wide ? number<std::int32_t>(layout_->qform_code) : number<std::int16_t>(layout_->qform_code);
    header.sform_code = wide ? number<std::int32_t>(layout_->sform_code) : number<std::int16_t>(layout_->sform_code);
    for (std::size_t i = 0; i < 3; ++i) header.quatern[i] = real(layout_->quatern, i);
    for (std::size_t i = 0; i < 3; ++i) header.qoffset[i] = real(layout_->qoffset, i);
    for (std::size_t i = 0; i < 12; ++i) header.srow[i] = real(layout_->srow, i);
    return header;
  }

 private:
  template <typename T>
  T number(std::size_t offset) const {
    return load<T>(&bytes_[offset], swap_);
  }

  double real(std::size_t offset, std::size_t index) const {
    return layout_->version == 2 ? number<double>(offset + 8 * index) : number<float>(offset + 4 * index);
  }

  std::int64_t dimension(std::size_t index) const {
    return layout_->version == 2 ? number<std::int64_t>(layout_->dim + 8 * index)
                                 : number<std::int16_t>(layout_->dim + 2 * index);
  }

  // The first field, the header's own size, also tells version and byte order.
  void find_layout() {
    if (const char* kind = foreign_content(bytes_)) {
      refuse(ErrorCode::Format, "magic", 0, "expected a NIfTI file, got ", kind);
    }
    for (const NiftiLayout* layout : {&kNifti1Layout, &kNifti2Layout}) {
      for (const bool swap : {false, true}) {
        if (bytes_.size() < 4 || load<std::int32_t>(bytes_.data(), swap) != static_cast<int>(layout->header_bytes)) {
          continue;
        }
        layout_ = layout;
        swap_ = swap;
      }
    }
    if (layout_ == nullptr) {
      require_bytes(kNifti1HeaderBytes + kNiftiExtenderBytes);
      refuse(ErrorCode::Format, "sizeof_hdr", 0, "expected a NIfTI file, whose first number is 348 or 540, got ",
             load<std::int32_t>(bytes_.data()), is_named_img() ? kPairAdvice : "");
    }
    // The magic tells a file that is cut off from the header of a pair, which ends here.
    require_bytes(layout_->header_bytes);
  }

  void require_bytes(std::size_t needed) const {
    if (bytes_.size() >= needed) return;
    refuse(ErrorCode::Format, "sizeof_hdr", 0, "expected a NIfTI header of ", needed, " bytes, got only ",
           bytes_.size(), is_named_img() ? kPairAdvice : "; the file may be cut off");
  }

  // Voxels of a pair have no header, so only the name tells them.
  bool is_named_img() const {
    std::string name = file_;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) { return std::tolower(letter); });
    return name.ends_with(".img") || name.ends_with(".img.gz");
  }

  void check_magic() const {
    const std::size_t length = layout_->version == 1 ? 4 : kMagic2.size();
    const std::string_view magic(reinterpret_cast<const char*>(&bytes_[layout_->magic]), length);
    if (magic == (layout_->version == 1 ? std::string_view("n+1\0", 4) : kMagic2)) return;
    if (magic.starts_with("ni1") || magic.starts_with("ni2")) {
      refuse(ErrorCode::Unsupported, "magic", layout_->magic,
             "it is the header of a two-file volume (.hdr and .img); convert it to one .nii file");
    }
    if (layout_->version == 1 && magic == std::string_view("\0\0\0\0", 4)) {
      refuse(ErrorCode::Unsupported, "magic", layout_->magic,
             "it looks like ANALYZE 7.5, which does not say how the head is oriented; convert from the original");
    }
    refuse(ErrorCode::Format, "magic", layout_->magic, "expected the magic of NIfTI-", layout_->version,
           ", got other bytes");
  }

  void check_dimensions(const std::array<std::int64_t, 8>& dim) const {
    const auto reject = [&](ErrorCode code, const auto&... parts) { refuse(code, "dim", layout_->dim, parts...); };
    if (dim[0] < 1 || dim[0] > 7) reject(ErrorCode::Format, "expected 1 to 7 dimensions, got ", dim[0]);
    if (dim[0] < 3) reject(ErrorCode::Unsupported, "expected a 3-D volume, got ", dim[0], " dimensions");
    for (std::size_t axis = 1; axis <= static_cast<std::size_t>(dim[0]); ++axis) {
      if (dim[axis] < 1) reject(ErrorCode::Format, "expected a positive size of axis ", axis, ", got ", dim[axis]);
      if (axis <= 3 && dim[axis] > kMaxAxisVoxels) {
        reject(ErrorCode::Unsupported, "expected at most ", kMaxAxisVoxels, " voxels along axis ", axis, ", got ",
               dim[axis]);
      }
      if (axis >= 5 && dim[axis] != 1) {
        reject(ErrorCode::Unsupported, "expected a 3-D volume, got ", dim[axis], " elements along axis ", axis);
      }
    }
  }

  // pixdim[0] is not a size: its sign is the qform's handedness.
  void check_spacing(const std::array<double, 8>& pixdim) const {
    for (std::size_t axis = 1; axis <= 3; ++axis) {
      if (!(pixdim[axis] >= kMinSpacingMm && pixdim[axis] <= kMaxSpacingMm)) {
        refuse(ErrorCode::Format, "pixdim", layout_->pixdim, "expected a voxel size of ", kMinSpacingMm, " to ",
               kMaxSpacingMm, " mm along axis ", axis, ", got ", pixdim[axis]);
      }
    }
  }

  const NiftiDatatype* read_datatype() const {
    const int code = number<std::int16_t>(layout_->datatype);
    const int bits = number<std::int16_t>(layout_->bitpix);
    const auto* found = std::find_if(kDatatypes.begin(), kDatatypes.end(),
                                     [&](const NiftiDatatype& datatype) { return datatype.code == code; });
    if (found == kDatatypes.end() || !found->readable) {
      refuse(ErrorCode::Unsupported, "datatype", layout_->datatype, "expected integer or real voxels, got data type ",
             code, found == kDatatypes.end() ? "" : " (", found == kDatatypes.end() ? "" : found->name,
             found == kDatatypes.end() ? "" : ")");
    }
    if (bits != found->bits) {
      refuse(ErrorCode::Format, "bitpix", layout_->bitpix, "expected ", found->bits, " bits per voxel for ",
             found->name, ", got ", bits);
    }
    return found;
  }

  std::uint64_t read_vox_offset() const {
    const auto least = static_cast<double>(layout_->header_bytes + kNiftiExtenderBytes);
    constexpr double kMost = 9007199254740992.0;  // 2^53
    const double offset = layout_->version == 2 ? static_cast<double>(number<std::int64_t>(layout_->vox_offset))
                                                : number<float>(layout_->vox_offset);
    if (!(offset >= least && offset < kMost) || offset != std::floor(offset)) {
      refuse(ErrorCode::Format, "vox_offset", layout_->vox_offset, "expected the voxels at a whole offset of at least ",
             least, ", got ", offset);
    }
    return static_cast<std::uint64_t>(offset);
  }

  // The standard: a slope of 0 means unscaled. NaN is what nibabel and others write for "not set".
  void read_scaling(NiftiHeader& header) const {
    const double slope = real(layout_->scl_slope, 0);
    const double inter = real(layout_->scl_inter, 0);
    if (slope == 0 || std::isnan(slope)) return;
    if (!std::isfinite(slope) || !std::isfinite(inter)) {
      refuse(ErrorCode::Format, "scl_slope", layout_->scl_slope, "expected a finite scaling, got slope ", slope,
             " and intercept ", inter);
    }
    header.slope = slope;
    header.inter = inter;
  }

  template <typename... Parts>
  [[noreturn]] void refuse(ErrorCode code, const char* field, std::size_t offset, const Parts&... parts) const {
    fail_at(code, {.file = file_, .field = field, .offset = detail_offset(offset)}, parts...);
  }

  std::span<const std::byte> bytes_;
  const std::string& file_;
  const NiftiLayout* layout_ = nullptr;
  bool swap_ = false;
};

}  // namespace

NiftiHeader parse_nifti_header(std::span<const std::byte> bytes, const std::string& file) {
  return HeaderParser(bytes, file).parse();
}

}  // namespace brain3d::io
