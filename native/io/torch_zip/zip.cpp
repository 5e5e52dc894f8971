#include "io/torch_zip/zip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "io/failure.h"
#include "io/text.h"
#include "io/torch_zip/zip_directory.h"

namespace brain3d::io {

bool is_zip(const File& file) {
  constexpr std::array<char, 4> kMagic{'P', 'K', 3, 4};
  std::array<char, 4> start{};
  if (file.size() < start.size()) return false;
  file.read_exact(0, start.data(), start.size());
  return start == kMagic;
}

ZipArchive::ZipArchive(const std::string& path) : file_(path) {
  const ZipEnd end = read_zip_end(file_);
  std::vector<ZipRecord> records = read_zip_directory(file_, end);
  std::sort(records.begin(), records.end(),
            [](const ZipRecord& a, const ZipRecord& b) { return a.header_offset < b.header_offset; });
  std::uint64_t expected = 0;
  for (const ZipRecord& record : records) {
    const ErrorDetail detail{
        .file = name(), .field = printable(record.name), .offset = detail_offset(record.header_offset)};
    if (record.header_offset != expected) {
      fail_at(ErrorCode::Format, detail, "not a sound zip archive: entry \"", printable(record.name), "\" ",
              record.header_offset < expected ? "overlaps the one before" : "follows unexplained bytes");
    }
    const ZipExtent extent = read_zip_extent(file_, record, end);
    expected = extent.end;
    if (!index_.emplace(record.name, entries_.size()).second) {
      fail_at(ErrorCode::Format, detail, "not a sound zip archive: two entries are called \"", printable(record.name),
              "\"");
    }
    entries_.push_back({record.name, extent.data_offset, record.size, record.crc32});
  }
  if (expected != end.directory_offset) {
    fail_at(ErrorCode::Format, {.file = name(), .field = "archive", .offset = detail_offset(expected)},
            "not a sound zip archive: unexplained bytes before the central directory");
  }
}

const ZipArchive::Entry* ZipArchive::find(const std::string& name) const noexcept {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

std::vector<std::byte> ZipArchive::read(const Entry& entry) const {
  std::vector<std::byte> bytes(static_cast<std::size_t>(entry.size));
  file_.read_exact(entry.offset, bytes.data(), bytes.size());
  const uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (crc != entry.crc32) {
    fail_at(ErrorCode::Format, {.file = name(), .field = printable(entry.name), .offset = detail_offset(entry.offset)},
            "entry \"", printable(entry.name), "\" is damaged (its checksum is wrong); copy the file again");
  }
  return bytes;
}

}  // namespace brain3d::io
