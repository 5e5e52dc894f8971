#include "io/gzip.h"

#include <algorithm>
#include <array>
#include <limits>

#include "io/failure.h"

namespace brain3d::io {
namespace {

constexpr std::array<unsigned char, 2> kMagic{0x1F, 0x8B};
constexpr std::size_t kChunkBytes = 256 * 1024;
// zlib's window size for gzip wrapping: it then parses the header and verifies CRC-32 and size itself.
constexpr int kGzipWindowBits = 15 + 16;

uInt clamp_to_uint(std::size_t bytes) {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
}

}  // namespace

bool is_gzip(const File& file) {
  if (file.size() < 2) return false;
  std::array<unsigned char, 2> magic{};
  file.read_exact(0, magic.data(), magic.size());
  return magic == kMagic;
}

GzipReader::GzipReader(const File& file) : file_(file), input_(kChunkBytes) {
  if (inflateInit2(&stream_, kGzipWindowBits) != Z_OK) {
    fail_at(ErrorCode::OutOfMemory, {.file = file.name()}, "not enough memory to inflate it");
  }
}

GzipReader::~GzipReader() { inflateEnd(&stream_); }

bool GzipReader::refill() {
  if (stream_.avail_in > 0) return true;
  const std::uint64_t bytes = std::min<std::uint64_t>(input_.size(), file_.size() - offset_);
  if (bytes == 0) return false;
  file_.read_exact(offset_, input_.data(), static_cast<std::size_t>(bytes));
  offset_ += bytes;
  stream_.next_in = input_.data();
  stream_.avail_in = static_cast<uInt>(bytes);
  return true;
}

// Tapes and some tools pad with zeros; anything else after a member means that the file is not what was written.
void GzipReader::check_padding() {
  while (refill()) {
    const unsigned char* begin = stream_.next_in;
    const unsigned char* end = begin + stream_.avail_in;
    const unsigned char* other = std::find_if(begin, end, [](unsigned char byte) { return byte != 0; });
    if (other != end) {
      const std::uint64_t at = consumed() + static_cast<std::uint64_t>(other - begin);
      fail_at(ErrorCode::Format, {.file = file_.name(), .offset = detail_offset(at)},
              "expected the end of the gzip data or another gzip member, got other bytes at offset ", at);
    }
    stream_.avail_in = 0;
  }
}

// Called after a member's end. Returns whether another one follows.
bool GzipReader::next_member() {
  if (!refill()) return false;
  if (*stream_.next_in != kMagic[0]) {
    check_padding();
    return false;
  }
  if (inflateReset(&stream_) != Z_OK) fail(ErrorCode::Internal, "inflateReset failed");
  ++members_;
  return true;
}

std::size_t GzipReader::read(void* out, std::size_t bytes) {
  std::size_t produced = 0;
  while (produced < bytes && !ended_) {
    if (member_done_) {
      ended_ = !next_member();
      member_done_ = false;
      continue;
    }
    const ErrorDetail detail{.file = file_.name(), .offset = detail_offset(consumed())};
    if (!refill()) fail_at(ErrorCode::Format, detail, "the gzip data end early: the file is cut off; copy it again");
    stream_.next_out = static_cast<unsigned char*>(out) + produced;
    stream_.avail_out = clamp_to_uint(bytes - produced);
    const uInt before = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    produced += before - stream_.avail_out;
    if (status == Z_MEM_ERROR) fail_at(ErrorCode::OutOfMemory, detail, "not enough memory to inflate it");
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      fail_at(ErrorCode::Format, detail, "the gzip data are damaged (", stream_.msg == nullptr ? "zlib" : stream_.msg,
              "); copy the file again");
    }
    member_done_ = status == Z_STREAM_END;
  }
  return produced;
}

std::uint64_t GzipReader::finish(std::uint64_t max_trailing_output) {
  std::array<std::byte, 16 * 1024> scratch;
  const std::uint64_t member = members_;
  std::uint64_t trailing = 0;
  while (const std::size_t count = read(scratch.data(), scratch.size())) {
    trailing += count;
    const ErrorDetail detail{.file = file_.name(), .offset = detail_offset(consumed())};
    if (members_ != member) {
      fail_at(ErrorCode::Format, detail, "another gzip member follows the end of the contents: two files were joined");
    }
    if (trailing > max_trailing_output) {
      fail_at(ErrorCode::Format, detail, "expected at most ", max_trailing_output,
              " bytes after the end of the contents, got more");
    }
  }
  return trailing;
}

std::string gzip_compress(std::string_view text, int level, const CancelFlag* cancel) {
  B3D_CHECK(level >= 0 && level <= 9, Usage, "gzip_compress: expected a level of 0 to 9, got ", level);
  z_stream stream{};
  B3D_CHECK(deflateInit2(&stream, level, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK, OutOfMemory,
            "gzip_compress: not enough memory");
  const struct Cleanup {
    z_stream& stream;
    ~Cleanup() { deflateEnd(&stream); }
  } cleanup{stream};

  std::string out;
  std::vector<char> chunk(kChunkBytes);
  std::size_t consumed = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (cancel != nullptr) cancel->check();
    // zlib counts input in 32 bits; longer input goes in in parts.
    const uInt part = clamp_to_uint(text.size() - consumed);
    stream.next_in = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(text.data() + consumed));
    stream.avail_in = part;
    stream.next_out = reinterpret_cast<unsigned char*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = deflate(&stream, consumed + part == text.size() ? Z_FINISH : Z_NO_FLUSH);
    B3D_CHECK(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, Internal, "deflate failed");
    consumed += part - stream.avail_in;
    out.append(chunk.data(), chunk.size() - stream.avail_out);
  }
  return out;
}

}  // namespace brain3d::io
