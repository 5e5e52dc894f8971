#include "io/torch_zip/zip.h"

#include <string>
#include <vector>

#include "io/torch_zip/torch_file_builder.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::end_record;
using test::raw;
using test::TempDir;
using test::zip;
using test::zip64_records;
using test::zip_body;
using test::ZipBody;
using test::ZipPart;

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("the entries of a stored archive read back, with data descriptors in each of their forms") {
  const TempDir dir;
  ZipPart plain{.name = "a/x", .contents = "hello"};
  std::vector<ZipPart> parts{plain};
  for (const bool has_signature : {true, false}) {
    for (const bool wide : {true, false}) {
      ZipPart part{.name = "a/" + std::to_string(parts.size()), .contents = "data", .flags = 0x0808};
      part.descriptor = (has_signature ? raw(0x08074B50U) : "") + raw(part.crc) +
                        (wide ? raw(std::uint64_t{4}) + raw(std::uint64_t{4}) : raw(4U) + raw(4U));
      parts.push_back(part);
    }
  }
  const ZipArchive archive(dir.write("z.pt", zip(parts)));
  REQUIRE(archive.entries().size() == 5);
  for (const ZipPart& part : parts) {
    const ZipArchive::Entry* entry = archive.find(part.name);
    REQUIRE(entry != nullptr);
    CHECK(text_of(archive.read(*entry)) == part.contents);
  }
  CHECK(archive.find("a/y") == nullptr);
}

TEST_CASE("an archive without entries is an archive") {
  const TempDir dir;
  CHECK(ZipArchive(dir.write("z.pt", zip({}))).entries().empty());
}

TEST_CASE("zip64 records are read where they agree with the plain ones") {
  const TempDir dir;
  ZipPart part{.name = "a/x", .contents = "hello"};
  const ZipBody body = zip_body({part});
  const auto bytes = static_cast<std::uint32_t>(body.directory.size());
  const auto offset = static_cast<std::uint32_t>(body.bytes.size());
  const std::string wide = zip64_records(1, bytes, offset);
  const std::string start = body.bytes + body.directory;
  for (const std::string& end : {end_record(1, bytes, offset), end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)}) {
    const ZipArchive archive(dir.write("z.pt", start + wide + end));
    CHECK(text_of(archive.read(*archive.find("a/x"))) == "hello");
  }
  const std::pair<std::string, const char*> lies[] = {
      {start + wide + end_record(2, bytes, offset), "end records disagree"},
      {start + wide + end_record(1, bytes - 1, offset), "end records disagree"},
      {start + wide + end_record(1, bytes, offset - 1), "end records disagree"},
      {start + zip64_records(1, bytes, offset - 1) + end_record(1, bytes, offset), "points elsewhere"},
      {start + "x" + wide + end_record(1, bytes, offset), "points elsewhere"},
      {start + zip64_records(~std::uint64_t{0}, bytes, offset) + end_record(0xFFFF, bytes, offset),
       "at most 4096 entries"},
  };
  for (const auto& [text, message] : lies) {
    check_refused([&] { ZipArchive{dir.write("z.pt", text)}; }, ErrorCode::Format, message);
  }
}

TEST_CASE("sizes in a zip64 field are read, and refused where they do not fit") {
  const TempDir dir;
  ZipPart part{.name = "a/x", .contents = "hello"};
  part.flags = 8;
  part.descriptor = raw(part.crc) + raw(5U) + raw(5U);
  part.size = 0xFFFFFFFF;
  const std::string field =
      raw(std::uint16_t{1}) + raw(std::uint16_t{16}) + raw(std::uint64_t{5}) + raw(std::uint64_t{5});
  part.central_extra = raw(std::uint16_t{0x4246}) + raw(std::uint16_t{2}) + "ZZ" + field;
  const ZipArchive archive(dir.write("z.pt", zip({part})));
  CHECK(text_of(archive.read(*archive.find("a/x"))) == "hello");
  for (const std::string& extra :
       {std::string(), field.substr(0, 12), raw(std::uint16_t{1}) + raw(std::uint16_t{99}) + "x",
        raw(std::uint16_t{1}) + raw(std::uint16_t{8}) + raw(std::uint64_t{5})}) {
    part.central_extra = extra;
    check_refused([&] { ZipArchive{dir.write("z.pt", zip({part}))}; }, ErrorCode::Format, "zip64 field");
  }
}

TEST_CASE("rejects archives that can be read in two ways or not at all") {
  const TempDir dir;
  const ZipPart good{.name = "a/x", .contents = "hello"};
  const auto changed = [&](auto&& change) {
    ZipPart part = good;
    change(part);
    return part;
  };
  const std::string whole = zip({good});
  const ZipBody body = zip_body({good});
  const auto bytes = static_cast<std::uint32_t>(body.directory.size());
  const auto offset = static_cast<std::uint32_t>(body.bytes.size());
  const std::pair<std::string, const char*> cases[] = {
      {"", "only 0 bytes"},
      {whole.substr(0, whole.size() - 1), "end-of-directory record"},
      {whole + "x", "end-of-directory record"},
      {whole + end_record(0, 0, static_cast<std::uint32_t>(whole.size())), "unexplained bytes before the central"},
      {"x" + whole, "does not end at the end record"},
      {body.bytes + "gap" + body.directory + end_record(1, bytes, offset + 3), "unexplained bytes before the central"},
      {body.bytes + body.directory + end_record(2, bytes, offset), "expected 2 directory records"},
      {body.bytes + body.directory + end_record(0, bytes, offset), "bytes follow the last directory record"},
      {zip({good, good}), "two entries are called"},
      {zip({good, changed([](ZipPart& part) {
              part.name = part.local_name = "a/y";
              part.header_offset = 0;
            })}),
       "overlaps"},
      {zip({changed([](ZipPart& part) { part.header_offset = 1; })}), "unexplained bytes"},
      {zip({changed([](ZipPart& part) { part.header_offset = 0x7FFFFFFF; })}), "unexplained bytes"},
      {zip({changed([](ZipPart& part) { part.local_name = "a/y"; })}), "disagrees with the directory"},
      {zip({changed([](ZipPart& part) {
         part.size = 6;
         part.contents += "!";
         part.size = 5;
       })}),
       "unexplained bytes"},
      {zip({changed([](ZipPart& part) { part.size = 4000; })}), "does not fit its place"},
      {zip({changed([](ZipPart& part) {
         part.flags = 8;
         part.descriptor = raw(part.crc) + raw(5U) + raw(6U);
       })}),
       "data descriptor"},
      {zip({changed([](ZipPart& part) { part.flags = 8; })}), "data descriptor"},
  };
  for (const auto& [text, message] : cases) {
    CAPTURE(message);
    check_refused([&] { ZipArchive{dir.write("z.pt", text)}; }, ErrorCode::Format, message);
  }
  const char* names[] = {"../x", "a/../x", "/a/x", "a//x", "a\\x", "C:x", "a/./x", "..", "a\nb", "\xff", ""};
  for (const char* name : names) {
    const ZipPart part{.name = name, .contents = "hello"};
    CAPTURE(name);
    check_refused([&] { ZipArchive{dir.write("z.pt", zip({part}))}; }, ErrorCode::Format, "has a name");
  }
  const ZipPart nul{.name = std::string("a\0b", 3), .contents = ""};
  check_refused([&] { ZipArchive{dir.write("z.pt", zip({nul}))}; }, ErrorCode::Format, "has a name");
  const ZipPart packed = changed([](ZipPart& part) { part.method = 8; });
  check_refused([&] { ZipArchive{dir.write("z.pt", zip({packed}))}; }, ErrorCode::Unsupported, "is compressed");
  const ZipPart secret = changed([](ZipPart& part) { part.flags = 1; });
  check_refused([&] { ZipArchive{dir.write("z.pt", zip({secret}))}; }, ErrorCode::Unsupported, "is encrypted");
}

TEST_CASE("rejects an entry whose checksum is wrong") {
  const TempDir dir;
  ZipPart part{.name = "a/x", .contents = "hello"};
  part.crc ^= 1;
  const ZipArchive archive(dir.write("z.pt", zip({part})));
  check_refused([&] { archive.read(*archive.find("a/x")); }, ErrorCode::Format, "checksum is wrong");
}

TEST_CASE("rejects an archive of 70,000 entries") {
  const TempDir dir;
  const std::string end = zip64_records(70'000, 0, 0) + end_record(0xFFFF, 0, 0);
  check_refused([&] { ZipArchive{dir.write("z.pt", end)}; }, ErrorCode::Format, "at most 4096 entries, got 70000");
}

}  // namespace
}  // namespace brain3d::io
