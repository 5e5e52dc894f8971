#include "io/sniff.h"

#include <array>
#include <string_view>

namespace brain3d::io {
namespace {

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* content;
};

constexpr std::array<Signature, 14> kSignatures{{
    {0, std::string_view("\x1F\x8B", 2), "gzip data inside gzip data; decompress it once"},
    {0, std::string_view("PK\x03\x04", 4), "a zip archive; unpack it"},
    {0, std::string_view("BZh", 3), "bzip2 data; decompress it"},
    {0, std::string_view("\x28\xB5\x2F\xFD", 4), "zstd data; decompress it"},
    {0,
     std::string_view("\xFD"
                      "7zXZ",
                      5),
     "xz data; decompress it"},
    {128, std::string_view("DICM", 4), "a DICOM file; convert the series first"},
    {0, std::string_view("\xFF\xD8\xFF", 3), "a JPEG image"},
    {0, std::string_view("\x89PNG", 4), "a PNG image"},
    {0, std::string_view("\x89HDF", 4), "an HDF5 file (MINC2?)"},
    {0, std::string_view("NRRD", 4), "an NRRD file"},
    {0, std::string_view("%PDF", 4), "a PDF document"},
    {0, std::string_view("<!DOCTYPE", 9), "a web page; the download may have failed"},
    {0, std::string_view("<html", 5), "a web page; the download may have failed"},
    {0, std::string_view("version https://git-lfs", 23), "a git-lfs pointer; fetch the file itself"},
}};

}  // namespace

const char* foreign_content(std::span<const std::byte> start) {
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  for (const Signature& signature : kSignatures) {
    const bool reaches = text.size() >= signature.offset + signature.bytes.size();
    if (reaches && text.substr(signature.offset, signature.bytes.size()) == signature.bytes) return signature.content;
  }
  return nullptr;
}

}  // namespace brain3d::io
