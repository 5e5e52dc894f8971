// gzip (RFC 1952), inflated in a stream and checked to the last byte. A reader that stops at the bytes it needs never
// sees the checksum and takes damaged voxels for good ones; this one is driven to the end by finish().
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/large_memory.h"
#include "io/file.h"

namespace brain3d::io {

/// True if the file begins with gzip's magic number.
bool is_gzip(const File& file);

class GzipReader {
 public:
  /// `file` must outlive the reader.
  explicit GzipReader(const File& file);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Inflates up to `bytes` bytes; fewer only at the end of the stream, then 0. Several members in a row are one
  /// stream (bgzip, pigz); zero padding after the last one is skipped.
  /// Throws Format if the data are damaged or cut off, if a member's CRC-32 or size is wrong, or if other bytes follow.
  std::size_t read(void* out, std::size_t bytes);

  /// Inflates the rest, so that every checksum is compared, and returns how many bytes it held. Throws as read does,
  /// and Format if it holds more than `max_trailing_output` bytes or a further member with contents begins in it
  /// (two files joined).
  std::uint64_t finish(std::uint64_t max_trailing_output);

 private:
  bool refill();
  bool next_member();
  void check_padding();
  std::uint64_t consumed() const noexcept { return offset_ - stream_.avail_in; }

  const File& file_;
  LargeVector<unsigned char> input_;
  z_stream stream_{};
  std::uint64_t offset_ = 0;  // the offset in the file of the next byte to read
  std::uint64_t members_ = 1;
  bool member_done_ = false;
  bool ended_ = false;
};

/// `text` as one gzip member without name and time, so that equal input gives equal bytes. level 0 to 9.
/// Throws Cancelled.
std::string gzip_compress(std::string_view text, int level = 6, const CancelFlag* cancel = nullptr);

}  // namespace brain3d::io
