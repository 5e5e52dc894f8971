#include "io/sniff.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace brain3d::io {
namespace {

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* content;
};

constexpr const char* kDicom =
    "a DICOM file; give the folder that holds the slices of its series instead, with no other series in it";
constexpr const char* kMgh = "a FreeSurfer volume (.mgh, .mgz); convert it, for example with mri_convert";
constexpr const char* kMeta = "a MetaImage file (.mha, .mhd); convert it to .nii.gz, for example with SimpleITK";
constexpr const char* kMinc = "a MINC file (.mnc); convert it, for example with mnc2nii";
constexpr const char* kWebPage = "a web page; the download may have failed";

using std::string_view_literals::operator""sv;

constexpr Signature kSignatures[] = {
    {0, "\x1F\x8B"sv, "gzip data inside gzip data; decompress it once"},
    {0, "PK\x03\x04"sv, "a zip archive; unpack it"},
    {0, "BZh"sv, "bzip2 data; decompress it"},
    {0, "\x28\xB5\x2F\xFD"sv, "zstd data; decompress it"},
    {0, "\xFD\x37zXZ"sv, "xz data; decompress it"},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7-Zip archive; unpack it"},
    {0, "Rar!"sv, "a RAR archive; unpack it"},
    {257, "ustar"sv, "a tar archive; unpack it"},
    {128, "DICM"sv, kDicom},
    {0, "\x08\x00\x05\x00"sv, kDicom},  // without a preamble: its first elements
    {0, "\x08\x00\x08\x00"sv, kDicom},
    {0, "ObjectType"sv, kMeta},
    {0, "NDims"sv, kMeta},
    {0, "Comment ="sv, kMeta},
    {0, "NRRD"sv, "an NRRD file; convert it to .nii.gz, for example with SimpleITK"},
    {0, "CDF\x01"sv, kMinc},
    {0, "CDF\x02"sv, kMinc},
    {0, "\x89HDF"sv, "an HDF5 file; if it is MINC (.mnc), convert it, for example with mnc2nii"},
    {0, "\ntype"sv, "the header of an AFNI dataset (.HEAD and .BRIK); convert it, for example with 3dAFNItoNIFTI"},
    {0, "# === DATA DESCRIPTION FILE"sv, "the header of a Philips PAR/REC pair; convert it, for example with dcm2niix"},
    {0, "MATRIX7"sv, "an ECAT file; brain3d is for MRI"},
    {0, "\x93NUMPY"sv, "a NumPy array, which does not say how it lies in the patient; save the image as NIfTI"},
    {0, "MATLAB"sv, "a MATLAB file, which does not say how it lies in the patient; save the image as NIfTI"},
    {0, "II*\0"sv, "a TIFF image, which does not say how it lies in the patient"},
    {0, "MM\0*"sv, "a TIFF image, which does not say how it lies in the patient"},
    {0, "\xFF\xD8\xFF"sv, "a JPEG image"},
    {0, "\x89PNG"sv, "a PNG image"},
    {0, "GIF8"sv, "a GIF image"},
    {0, "%PDF"sv, "a PDF document"},
    {0, "<?xml"sv, "an XML file"},
    {0, "{"sv, "a JSON text; give the volume that it lies beside"},
    {0, "<!DOCTYPE"sv, kWebPage},
    {0, "<!doctype"sv, kWebPage},
    {0, "<html"sv, kWebPage},
    {0, "version https://git-lfs"sv, "a git-lfs pointer; fetch the file itself"},
    {0, "/annex/objects"sv, "a git-annex pointer; fetch the file itself"},
    {0, "../.git/annex"sv, "a git-annex pointer; fetch the file itself"},
};

// FreeSurfer's header has no magic: big-endian, version 1, four sizes, and one of a few data types.
bool is_mgh(std::string_view start) {
  if (start.size() < 24) return false;
  std::array<std::uint32_t, 6> fields{};
  for (std::size_t i = 0; i < 24; ++i) fields[i / 4] = fields[i / 4] << 8 | static_cast<unsigned char>(start[i]);
  const auto [version, width, height, depth, frames, type] = fields;
  constexpr std::uint32_t kMost = 1U << 16;
  const bool has_sizes = width - 1 < kMost && height - 1 < kMost && depth - 1 < kMost && frames - 1 < kMost;
  return version == 1 && has_sizes && type <= 10;
}

}  // namespace

const char* foreign_content(std::span<const std::byte> start) {
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  for (const Signature& signature : kSignatures) {
    const bool reaches = text.size() >= signature.offset + signature.bytes.size();
    if (reaches && text.substr(signature.offset, signature.bytes.size()) == signature.bytes) return signature.content;
  }
  return is_mgh(text) ? kMgh : nullptr;
}

}  // namespace brain3d::io
