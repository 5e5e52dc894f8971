// Zip archives as torch.save writes them: entries stored, not compressed. Where a zip file could be read in two ways
// (central directory against local headers, zip64 against plain records, overlaps, bytes nobody owns) it is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/file.h"

namespace brain3d::io {

inline constexpr std::size_t kMaxZipEntries = 4096;
inline constexpr std::size_t kMaxZipNameBytes = 1024;

/// True if the file begins with a zip entry.
bool is_zip(const File& file);

class ZipArchive {
 public:
  struct Entry {
    std::string name;          // relative, with '/', without ".." and control characters; never used as a path
    std::uint64_t offset = 0;  // the offset of the contents in the file
    std::uint64_t size = 0;
    std::uint32_t crc32 = 0;
  };

  /// Reads the directory and every local header. Throws as File does, Format if the archive is malformed or
  /// ambiguous, Unsupported for compressed or encrypted entries.
  explicit ZipArchive(const std::string& path);

  const std::vector<Entry>& entries() const noexcept { return entries_; }
  /// Null if there is none.
  const Entry* find(const std::string& name) const noexcept;
  /// The contents of one of `entries()`. Throws Format if their CRC-32 is wrong.
  std::vector<std::byte> read(const Entry& entry) const;
  /// Base name of the archive, fit for a message.
  const std::string& name() const noexcept { return file_.name(); }

 private:
  File file_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace brain3d::io
