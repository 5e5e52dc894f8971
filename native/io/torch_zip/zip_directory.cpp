// Offsets in comments are those of PKWARE's APPNOTE 6.3.10, section 4.3.
#include "io/torch_zip/zip_directory.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#include "io/bytes.h"
#include "io/failure.h"
#include "io/text.h"
#include "io/torch_zip/zip.h"

namespace brain3d::io {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034B50;
constexpr std::uint32_t kCentralSignature = 0x02014B50;
constexpr std::uint32_t kDescriptorSignature = 0x08074B50;
constexpr std::uint32_t kEndSignature = 0x06054B50;
constexpr std::uint32_t kEnd64Signature = 0x06064B50;
constexpr std::uint32_t kLocator64Signature = 0x07064B50;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint64_t kCentralBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kLocator64Bytes = 20;
constexpr std::uint16_t kZip64ExtraId = 1;
constexpr std::uint16_t kEncryptedFlags = 0x0001 | 0x0040 | 0x2000;
constexpr std::uint16_t kDescriptorFlag = 0x0008;
constexpr std::uint16_t kMask16 = 0xFFFF;
constexpr std::uint32_t kMask32 = 0xFFFFFFFF;
// Names and extra fields of one record are at most 65,535 bytes each; torch writes some hundred.
constexpr std::uint64_t kMaxDirectoryBytes = std::uint64_t{4} << 20;

template <typename... Parts>
[[noreturn]] void refuse(const File& file, std::uint64_t offset, const Parts&... parts) {
  fail_at(ErrorCode::Format, {.file = file.name(), .field = "archive", .offset = detail_offset(offset)},
          "not a sound zip archive: ", parts...);
}

std::vector<std::byte> read_bytes(const File& file, std::uint64_t offset, std::uint64_t bytes) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(bytes));
  file.read_exact(offset, buffer.data(), buffer.size());
  return buffer;
}

// A value that the plain record holds, or refers to the zip64 record for (all bits set); both must agree.
bool agrees(std::uint64_t plain, std::uint64_t mask, std::uint64_t wide) { return plain == mask || plain == wide; }

// The zip64 locator stands directly before the end record, and the zip64 end record directly before the locator.
std::optional<ZipEnd> read_zip64_end(const File& file, std::uint64_t end_offset) {
  if (end_offset < kLocator64Bytes + kEnd64Bytes) return std::nullopt;
  const std::uint64_t locator_offset = end_offset - kLocator64Bytes;
  const auto locator = read_bytes(file, locator_offset, kLocator64Bytes);
  if (load<std::uint32_t>(&locator[0]) != kLocator64Signature) return std::nullopt;
  const std::uint64_t record_offset = locator_offset - kEnd64Bytes;
  if (load<std::uint32_t>(&locator[4]) != 0 || load<std::uint64_t>(&locator[8]) != record_offset ||
      load<std::uint32_t>(&locator[16]) != 1) {
    refuse(file, locator_offset, "the zip64 locator points elsewhere than to the record before it");
  }
  const auto record = read_bytes(file, record_offset, kEnd64Bytes);
  const std::uint64_t entries = load<std::uint64_t>(&record[32]);
  if (load<std::uint32_t>(&record[0]) != kEnd64Signature || load<std::uint64_t>(&record[4]) != kEnd64Bytes - 12 ||
      load<std::uint32_t>(&record[16]) != 0 || load<std::uint32_t>(&record[20]) != 0 ||
      load<std::uint64_t>(&record[24]) != entries) {
    refuse(file, record_offset, "the zip64 end record is malformed");
  }
  return ZipEnd{entries, load<std::uint64_t>(&record[48]), load<std::uint64_t>(&record[40])};
}

void check_name(const File& file, const std::string& name, std::uint64_t offset) {
  const auto reject = [&](const char* why) {
    refuse(file, offset, "entry \"", printable(name), "\" has a name ", why);
  };
  if (name.empty() || name.size() > kMaxZipNameBytes) reject("that is empty or too long");
  if (!is_utf8(name) || has_control_characters(name)) reject("that is not plain UTF-8");
  if (name.find('\\') != std::string::npos || name.find(':') != std::string::npos) reject("with a backslash or colon");
  // Also refuses absolute names and "a//b": each has an empty component.
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    const bool directory_mark = part.empty() && begin == name.size() && begin > 0;
    if ((part.empty() && !directory_mark) || part == "." || part == "..") reject("that leaves its directory");
    begin = end + 1;
  }
}

// The zip64 extra field has only those of size, compressed size and offset that the record says are too big for it.
void apply_zip64_extra(const File& file, const std::byte* extra, std::size_t bytes, std::uint64_t offset,
                       ZipRecord& record, std::uint64_t& compressed) {
  std::vector<std::uint64_t*> wide;
  if (record.size == kMask32) wide.push_back(&record.size);
  if (compressed == kMask32) wide.push_back(&compressed);
  if (record.header_offset == kMask32) wide.push_back(&record.header_offset);
  std::size_t at = 0;
  while (!wide.empty() && bytes - at >= 4) {
    const std::uint16_t id = load<std::uint16_t>(extra + at);
    const std::size_t length = load<std::uint16_t>(extra + at + 2);
    at += 4;
    if (length > bytes - at) break;
    if (id == kZip64ExtraId) {
      if (length != wide.size() * 8) break;
      for (std::size_t i = 0; i < wide.size(); ++i) *wide[i] = load<std::uint64_t>(extra + at + i * 8);
      return;
    }
    at += length;
  }
  if (!wide.empty()) refuse(file, offset, "the zip64 field of entry \"", printable(record.name), "\" is malformed");
}

void check_readable(const File& file, const ZipRecord& record, std::uint16_t method, std::uint64_t offset) {
  const ErrorDetail detail{.file = file.name(), .field = printable(record.name), .offset = detail_offset(offset)};
  if ((record.flags & kEncryptedFlags) != 0) {
    fail_at(ErrorCode::Unsupported, detail, "entry \"", printable(record.name), "\" is encrypted");
  }
  if (method != 0) {
    fail_at(ErrorCode::Unsupported, detail, "entry \"", printable(record.name),
            "\" is compressed; expected a file written by torch.save, which stores its entries");
  }
}

// Contents of unknown length are followed by their CRC and sizes, with or without a signature, in 32 or 64 bits.
std::uint64_t descriptor_bytes(const File& file, const ZipRecord& record, std::uint64_t offset, std::uint64_t limit) {
  for (const std::uint64_t width : {std::uint64_t{4}, std::uint64_t{8}}) {
    for (const std::uint64_t signature : {std::uint64_t{4}, std::uint64_t{0}}) {
      const std::uint64_t bytes = signature + 4 + 2 * width;
      if (limit < offset || limit - offset < bytes) continue;
      const auto record_bytes = read_bytes(file, offset, bytes);
      const std::byte* at = record_bytes.data();
      if (signature != 0 && load<std::uint32_t>(at) != kDescriptorSignature) continue;
      at += signature;
      const auto size = [&](std::uint64_t index) -> std::uint64_t {
        const std::byte* field = at + 4 + index * width;
        return width == 4 ? load<std::uint32_t>(field) : load<std::uint64_t>(field);
      };
      if (load<std::uint32_t>(at) == record.crc32 && size(0) == record.size && size(1) == record.size) return bytes;
    }
  }
  refuse(file, offset, "the data descriptor of entry \"", printable(record.name), "\" disagrees with the directory");
}

}  // namespace

ZipEnd read_zip_end(const File& file) {
  if (file.size() < kEndBytes) refuse(file, 0, "it has only ", file.size(), " bytes");
  const std::uint64_t offset = file.size() - kEndBytes;
  const auto record = read_bytes(file, offset, kEndBytes);
  // No comment is allowed, so the end record has one possible place and a second one cannot hide behind it.
  if (load<std::uint32_t>(&record[0]) != kEndSignature || load<std::uint16_t>(&record[20]) != 0) {
    refuse(file, offset, "expected it to end with the end-of-directory record; it may be cut off");
  }
  const ZipEnd plain{load<std::uint16_t>(&record[10]), load<std::uint32_t>(&record[16]),
                     load<std::uint32_t>(&record[12])};
  if (load<std::uint16_t>(&record[4]) != 0 || load<std::uint16_t>(&record[6]) != 0 ||
      load<std::uint16_t>(&record[8]) != plain.entries) {
    refuse(file, offset, "it is one part of several");
  }
  const std::optional<ZipEnd> wide = read_zip64_end(file, offset);
  const ZipEnd end = wide.value_or(plain);
  if (!agrees(plain.entries, kMask16, end.entries) || !agrees(plain.directory_offset, kMask32, end.directory_offset) ||
      !agrees(plain.directory_bytes, kMask32, end.directory_bytes)) {
    refuse(file, offset, "its zip64 and plain end records disagree");
  }
  const std::uint64_t directory_end = wide ? offset - kLocator64Bytes - kEnd64Bytes : offset;
  const auto stop = checked_add(end.directory_offset, end.directory_bytes);
  if (!stop || *stop != directory_end) refuse(file, offset, "the central directory does not end at the end record");
  if (end.entries > kMaxZipEntries || end.directory_bytes > kMaxDirectoryBytes) {
    refuse(file, offset, "expected at most ", kMaxZipEntries, " entries, got ", end.entries);
  }
  return end;
}

std::vector<ZipRecord> read_zip_directory(const File& file, const ZipEnd& end) {
  const auto bytes = read_bytes(file, end.directory_offset, end.directory_bytes);
  std::vector<ZipRecord> records;
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < end.entries; ++i) {
    const std::uint64_t offset = end.directory_offset + at;
    if (bytes.size() - at < kCentralBytes || load<std::uint32_t>(&bytes[at]) != kCentralSignature) {
      refuse(file, offset, "expected ", end.entries, " directory records, got ", i);
    }
    const std::byte* fixed = &bytes[at];
    const std::size_t name_bytes = load<std::uint16_t>(fixed + 28);
    const std::size_t extra_bytes = load<std::uint16_t>(fixed + 30);
    const std::size_t comment_bytes = load<std::uint16_t>(fixed + 32);
    const std::size_t variable = name_bytes + extra_bytes + comment_bytes;
    if (bytes.size() - at - kCentralBytes < variable) refuse(file, offset, "a directory record is cut off");
    ZipRecord record;
    record.name.assign(reinterpret_cast<const char*>(fixed + kCentralBytes), name_bytes);
    check_name(file, record.name, offset);
    record.flags = load<std::uint16_t>(fixed + 8);
    record.crc32 = load<std::uint32_t>(fixed + 16);
    record.size = load<std::uint32_t>(fixed + 24);
    record.header_offset = load<std::uint32_t>(fixed + 42);
    check_readable(file, record, load<std::uint16_t>(fixed + 10), offset);
    std::uint64_t compressed = load<std::uint32_t>(fixed + 20);
    apply_zip64_extra(file, fixed + kCentralBytes + name_bytes, extra_bytes, offset, record, compressed);
    if (compressed != record.size) refuse(file, offset, "a stored entry has two sizes");
    if (load<std::uint16_t>(fixed + 34) != 0) refuse(file, offset, "an entry is on another disk");
    records.push_back(std::move(record));
    at += kCentralBytes + variable;
  }
  if (at != bytes.size()) refuse(file, end.directory_offset + at, "bytes follow the last directory record");
  return records;
}

ZipExtent read_zip_extent(const File& file, const ZipRecord& record, const ZipEnd& end) {
  const std::uint64_t limit = end.directory_offset;
  const std::uint64_t offset = record.header_offset;
  if (offset > limit || limit - offset < kLocalBytes) refuse(file, offset, "an entry lies outside of the archive");
  const auto header = read_bytes(file, offset, kLocalBytes);
  const std::uint64_t name_bytes = load<std::uint16_t>(&header[26]);
  const std::uint64_t extra_bytes = load<std::uint16_t>(&header[28]);
  const std::uint64_t data_offset = offset + kLocalBytes + name_bytes + extra_bytes;
  if (load<std::uint32_t>(&header[0]) != kLocalSignature || data_offset > limit || limit - data_offset < record.size) {
    refuse(file, offset, "entry \"", printable(record.name), "\" does not fit its place");
  }
  const auto name = read_bytes(file, offset + kLocalBytes, name_bytes);
  const std::string_view local_name(reinterpret_cast<const char*>(name.data()), name.size());
  const std::uint16_t flags = load<std::uint16_t>(&header[6]);
  if (local_name != record.name || flags != record.flags || load<std::uint16_t>(&header[8]) != 0) {
    refuse(file, offset, "the local header of entry \"", printable(record.name), "\" disagrees with the directory");
  }
  const std::uint64_t data_end = data_offset + record.size;
  if ((flags & kDescriptorFlag) != 0) {
    return {data_offset, data_end + descriptor_bytes(file, record, data_end, limit)};
  }
  // Sizes that are all ones stand in a zip64 field; the directory's were checked, and they are the ones used.
  const bool same = load<std::uint32_t>(&header[14]) == record.crc32 &&
                    agrees(load<std::uint32_t>(&header[18]), kMask32, record.size) &&
                    agrees(load<std::uint32_t>(&header[22]), kMask32, record.size);
  if (!same)
    refuse(file, offset, "the local sizes of entry \"", printable(record.name), "\" disagree with the directory");
  return {data_offset, data_end};
}

}  // namespace brain3d::io
