// gzip files that hold far more than they weigh.
#pragma once

#include <zlib.h>

#include <string>

#include "io/io_test_support.h"

namespace brain3d::io::test {

/// `start` and then `mebibytes` of zeros as one gzip member of some thousandth of that, checksum and length right. The
/// zeros are compressed once and repeated: a full flush makes a block that stands by itself.
inline std::string gzip_bomb(const std::string& start, std::uint64_t mebibytes) {
  constexpr int kRawDeflate = -15;
  const std::string zeros(1 << 20, '\0');
  const auto block = [](const std::string& contents, int flush) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, kRawDeflate, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(contents.size() + 1024, '\0');
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(contents.data()));
    stream.avail_in = static_cast<uInt>(contents.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, flush);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
  };
  const auto crc_of = [](const std::string& bytes) {
    return crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  };
  std::string out("\x1F\x8B\x08\0\0\0\0\0\0\xFF", 10);
  out += block(start, Z_FULL_FLUSH);
  const std::string zero_block = block(zeros, Z_FULL_FLUSH);
  const uLong zero_crc = crc_of(zeros);
  uLong crc = crc_of(start);
  for (std::uint64_t i = 0; i < mebibytes; ++i) {
    out += zero_block;
    crc = crc32_combine(crc, zero_crc, static_cast<z_off_t>(zeros.size()));
  }
  out += block("", Z_FINISH);
  return out + raw(static_cast<std::uint32_t>(crc)) +
         raw(static_cast<std::uint32_t>(start.size() + mebibytes * zeros.size()));
}

}  // namespace brain3d::io::test
