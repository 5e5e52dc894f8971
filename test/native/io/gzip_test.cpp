#include "io/gzip.h"

#include <random>

#include "io/io_test_support.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::raw;
using test::TempDir;

std::string sample(std::size_t bytes) {
  std::mt19937 random(7);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random() % 23);
  return text;
}

// Everything the stream holds, as a reader that asks for `piece` bytes at a time gets it.
std::string inflate_all(const std::string& path, std::size_t piece = 1000) {
  const File file(path);
  GzipReader reader(file);
  std::string text;
  std::string buffer(piece, '\0');
  while (const std::size_t count = reader.read(buffer.data(), buffer.size())) text.append(buffer, 0, count);
  CHECK(reader.finish(0) == 0);
  return text;
}

TEST_CASE("what was compressed inflates to the same bytes at every level and size") {
  const TempDir dir;
  for (const std::size_t bytes : {0UL, 1UL, 999UL, 1000UL, 300'000UL}) {
    for (const int level : {0, 1, 6, 9}) {
      const std::string text = sample(bytes);
      CHECK(inflate_all(dir.write("a.gz", gzip_compress(text, level))) == text);
    }
  }
}

TEST_CASE("equal input compresses to equal bytes without name or time") {
  const std::string packed = gzip_compress("hello");
  CHECK(packed == gzip_compress("hello"));
  CHECK(packed.substr(0, 4) == std::string("\x1f\x8b\x08\x00", 4));  // no optional fields
  CHECK(packed.substr(4, 4) == std::string(4, '\0'));                // mtime
  check_refused([] { gzip_compress("x", 10); }, ErrorCode::Usage, "level of 0 to 9");
}

TEST_CASE("gzip is recognised by its first two bytes") {
  const TempDir dir;
  CHECK(is_gzip(File(dir.write("a", gzip_compress("")))));
  CHECK_FALSE(is_gzip(File(dir.write("b", "\x1f"))));
  CHECK_FALSE(is_gzip(File(dir.write("c", ""))));
  CHECK_FALSE(is_gzip(File(dir.write("d", "plain"))));
}

TEST_CASE("members in a row are one stream, and zeros may pad its end") {
  const TempDir dir;
  const std::string text = sample(5000);
  const std::string members =
      gzip_compress(text.substr(0, 1234)) + gzip_compress(text.substr(1234)) + gzip_compress("");
  CHECK(inflate_all(dir.write("a.gz", members)) == text);
  CHECK(inflate_all(dir.write("b.gz", members + std::string(600'000, '\0'))) == text);
}

TEST_CASE("rejects a stream that is cut off anywhere") {
  const TempDir dir;
  const std::string packed = gzip_compress(sample(1000));
  for (std::size_t size = 2; size < packed.size(); ++size) {
    const std::string path = dir.write("a.gz", packed.substr(0, size));
    CAPTURE(size);
    check_refused([&] { inflate_all(path); }, ErrorCode::Format, "end early");
  }
}

TEST_CASE("rejects a wrong checksum and a wrong size") {
  const TempDir dir;
  const std::string text = sample(3000);
  std::string crc = gzip_compress(text);
  crc[crc.size() - 8] ^= 1;
  std::string size = gzip_compress(text);
  size[size.size() - 4] ^= 1;
  check_refused([&] { inflate_all(dir.write("a.gz", crc)); }, ErrorCode::Format, "incorrect data check");
  check_refused([&] { inflate_all(dir.write("b.gz", size)); }, ErrorCode::Format, "incorrect length check");
}

TEST_CASE("one flipped bit is refused or leaves the contents as they were") {
  const TempDir dir;
  const std::string text = sample(2000);
  const std::string packed = gzip_compress(text);
  std::mt19937 random(11);
  for (int trial = 0; trial < 400; ++trial) {
    std::string flipped = packed;
    const std::size_t bit = random() % (packed.size() * 8);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      const std::string inflated = inflate_all(dir.write("a.gz", flipped));
      CHECK(inflated == text);  // the bit was in the time stamp or the like
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::Format);
    }
  }
}

TEST_CASE("rejects other bytes after the stream, also behind zeros") {
  const TempDir dir;
  const std::string packed = gzip_compress("hello");
  check_refused([&] { inflate_all(dir.write("a.gz", packed + "junk")); }, ErrorCode::Format,
                "got other bytes at offset");
  check_refused([&] { inflate_all(dir.write("b.gz", packed + std::string(9, '\0') + "j")); }, ErrorCode::Format,
                "got other bytes at offset");
  check_refused(
      [&] {
        inflate_all(dir.write("c.gz", packed + "\x1f"
                                               "abc"));
      },
      ErrorCode::Format, "damaged");
}

TEST_CASE("finishing counts what is left up to the limit and refuses more, or a second file") {
  const TempDir dir;
  const std::string text = sample(5000);
  const auto finish_after = [&](const std::string& packed, std::size_t bytes, std::uint64_t limit) {
    const File file(dir.write("a.gz", packed));
    GzipReader reader(file);
    std::string buffer(bytes, '\0');
    REQUIRE(reader.read(buffer.data(), bytes) == bytes);
    return reader.finish(limit);
  };
  CHECK(finish_after(gzip_compress(text), 5000, 0) == 0);
  CHECK(finish_after(gzip_compress(text), 4000, 1000) == 1000);
  CHECK(finish_after(gzip_compress(text) + gzip_compress(""), 5000, 0) == 0);
  check_refused([&] { finish_after(gzip_compress(text), 4000, 999); }, ErrorCode::Format, "at most 999 bytes after");
  check_refused([&] { finish_after(gzip_compress(text) + gzip_compress(text), 5000, 1 << 20); }, ErrorCode::Format,
                "two files were joined");
}

TEST_CASE("a bomb is inflated only as far as is asked for") {
  const TempDir dir;
  const std::string bomb = gzip_compress(std::string(16 << 20, '\0'), 9);
  CHECK(bomb.size() < 20'000);
  const File file(dir.write("bomb.gz", bomb));
  GzipReader reader(file);
  std::string buffer(1000, '\0');
  CHECK(reader.read(buffer.data(), buffer.size()) == 1000);
  check_refused([&] { reader.finish(1 << 20); }, ErrorCode::Format, "got more");
}

}  // namespace
}  // namespace brain3d::io
