// The records of a zip file, parsed and cross-checked. Used by ZipArchive alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file.h"

namespace brain3d::io {

/// The place of the central directory, which the end record names, or the zip64 end record where there is one.
struct ZipEnd {
  std::uint64_t entries = 0;
  std::uint64_t directory_offset = 0;
  std::uint64_t directory_bytes = 0;
};

/// An entry as the central directory describes it.
struct ZipRecord {
  std::string name;
  std::uint16_t flags = 0;
  std::uint32_t crc32 = 0;
  std::uint64_t size = 0;
  std::uint64_t header_offset = 0;
};

/// The place of an entry, which its local header tells.
struct ZipExtent {
  std::uint64_t data_offset = 0;
  std::uint64_t end = 0;  // after the contents and their data descriptor
};

/// Throw Format if the records are malformed or disagree, Unsupported for what is not read.
ZipEnd read_zip_end(const File& file);
std::vector<ZipRecord> read_zip_directory(const File& file, const ZipEnd& end);
ZipExtent read_zip_extent(const File& file, const ZipRecord& record, const ZipEnd& end);

}  // namespace brain3d::io
