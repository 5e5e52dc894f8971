// What the NIfTI reader refuses, and what it must not do on the way: allocate, hang, or repeat a header's text.
#include <sys/resource.h>
#include <sys/stat.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "io/nifti_builder.h"

namespace brain3d::io {
namespace {

using namespace std::string_literals;
using test::check_each_refused;
using test::check_refused;
using test::golden;
using test::has_warning;
using test::kInf;
using test::kNan;
using test::NiftiBuilder;
using test::read_bytes;
using test::TempDir;

TEST_CASE("rejects every broken file of the reference") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden("nifti/invalid"))) {
    ++files;
    CAPTURE(entry.path().filename().string());
    CHECK_THROWS_AS(read_nifti(entry.path()), Error);
  }
  CHECK(files >= 12);
}

TEST_CASE("rejects shapes that are no volume") {
  check_each_refused([](NiftiBuilder& b) { b.dim({0}); }, ErrorCode::Format, "1 to 7 dimensions, got 0");
  check_each_refused([](NiftiBuilder& b) { b.dim({8}); }, ErrorCode::Format, "1 to 7 dimensions, got 8");
  check_each_refused([](NiftiBuilder& b) { b.dim({-1}); }, ErrorCode::Format, "1 to 7 dimensions, got -1");
  check_each_refused([](NiftiBuilder& b) { b.dim({1}); }, ErrorCode::Unsupported, "expected a 3-D volume, got 1");
  check_each_refused([](NiftiBuilder& b) { b.dim({2}); }, ErrorCode::Unsupported, "expected a 3-D volume, got 2");
  check_each_refused([](NiftiBuilder& b) { b.dim({3, 0}); }, ErrorCode::Format, "positive size of axis 1, got 0");
  check_each_refused(
      [](NiftiBuilder& b) {
        b.dim({3, 3, -32768});
      },
      ErrorCode::Format, "positive size of axis 2, got -32768");
  check_each_refused(
      [](NiftiBuilder& b) {
        b.dim({3, 32767, 32767, 32767});
      },
      ErrorCode::Unsupported, "at most 4096 voxels");
  check_each_refused([](NiftiBuilder& b) { b.dim({4, 3, 4, 5, 0}); }, ErrorCode::Format, "positive size of axis 4");
  check_each_refused(
      [](NiftiBuilder& b) {
        b.dim({5, 3, 4, 5, 1, 3});
      },
      ErrorCode::Unsupported, "got 3 elements along axis 5");
}

TEST_CASE("rejects sizes that the file cannot hold before allocating for them") {
  const TempDir dir;
  rusage before = {};
  ::getrusage(RUSAGE_SELF, &before);
  check_each_refused([](NiftiBuilder& b) { b.dim({3, 600, 600, 700}); }, ErrorCode::Format, "cut off");
  check_each_refused(
      [](NiftiBuilder& b) {
        b.dim({3, 4096, 4096, 4096});
      },
      ErrorCode::Unsupported, "at most 268435456 voxels");
  NiftiBuilder wide(kNifti2Layout);
  wide.dim({4, 4, 4, 4, std::numeric_limits<std::int64_t>::max()});
  check_refused([&] { read_bytes(dir, wide.bytes()); }, ErrorCode::Format, "size below 2^64");
  wide.dim({3, std::int64_t{1} << 40, std::int64_t{1} << 40, std::int64_t{1} << 40});
  check_refused([&] { read_bytes(dir, wide.bytes()); }, ErrorCode::Unsupported, "at most 4096 voxels");
  check_refused([&] { read_bytes(dir, NiftiBuilder().bytes(), {.max_voxels = 59}); }, ErrorCode::Unsupported,
                "at most 59 voxels");
  rusage after = {};
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(after.ru_maxrss - before.ru_maxrss < 64 * 1024);  // KiB
}

TEST_CASE("rejects data types that are not numbers, by name, and sizes that contradict them") {
  const std::pair<std::int16_t, const char*> types[] = {
      {0, "data type 0"},       {1, "(binary)"},        {32, "(complex64)"},    {128, "(RGB24)"},
      {1536, "(float128)"},     {1792, "(complex128)"}, {2048, "(complex256)"}, {2304, "(RGBA32)"},
      {9999, "data type 9999"}, {-4, "data type -4"}};
  for (const auto& [code, part] : types) {
    check_each_refused([code = code](NiftiBuilder& b) { b.type(code, 16); }, ErrorCode::Unsupported, part);
  }
  check_each_refused([](NiftiBuilder& b) { b.type(4, 8); }, ErrorCode::Format,
                     "expected 16 bits per voxel for int16, got 8");
}

TEST_CASE("rejects voxel sizes outside of 0.1 to 20 mm") {
  for (const double size : {0.0, -1.0, kNan, kInf, 1e-30, 1e30, 0.05, 21.0}) {
    check_each_refused([&](NiftiBuilder& b) { b.pixdim(2, size); }, ErrorCode::Format,
                       "voxel size of 0.1 to 20 mm along axis 2");
  }
}

TEST_CASE("rejects voxel offsets that are not behind the header and inside the file") {
  const TempDir dir;
  for (const double offset : {0.0, 351.0, -16.0, kNan, kInf, 352.5}) {
    check_refused([&] { read_bytes(dir, NiftiBuilder().vox_offset(offset).bytes()); }, ErrorCode::Format,
                  "whole offset");
  }
  check_refused([&] { read_bytes(dir, NiftiBuilder(kNifti2Layout).vox_offset(543).bytes()); }, ErrorCode::Format,
                "whole offset");
  check_refused([&] { read_bytes(dir, NiftiBuilder(kNifti2Layout).vox_offset(-1).bytes()); }, ErrorCode::Format,
                "whole offset");
  check_each_refused([](NiftiBuilder& b) { b.vox_offset(1e9); }, ErrorCode::Format, "");
}

TEST_CASE("rejects header extensions that do not end where the voxels begin") {
  const TempDir dir;
  for (const std::int32_t size : {0, 7, 8, 24, -16, 64, std::numeric_limits<std::int32_t>::max()}) {
    NiftiBuilder builder;
    builder.no_data().put(348, std::uint8_t{1}).append(size).text(std::string(28, 'x')).vox_offset(384);
    builder.dim({3, 1, 1, 1}).append(std::int16_t{42});
    CAPTURE(size);
    check_refused([&] { read_bytes(dir, builder.bytes()); }, ErrorCode::Format, "header extensions");
  }
  NiftiBuilder many;
  many.no_data().put(348, std::uint8_t{1}).vox_offset(352 + 16 * 10'000).dim({3, 1, 1, 1});
  for (int i = 0; i < 10'000; ++i) many.append(16).text(std::string(12, 'x'));
  check_refused([&] { read_bytes(dir, many.append(std::int16_t{42}).bytes()); }, ErrorCode::Format, "at most 1000");
  NiftiBuilder big;
  big.no_data().vox_offset(352 + (2 << 20)).dim({3, 1, 1, 1}).text(std::string((2 << 20) + 2, 'x'));
  check_refused([&] { read_bytes(dir, big.bytes()); }, ErrorCode::Unsupported,
                "at most 1048576 bytes of header extensions");
}

TEST_CASE("rejects what is no NIfTI file and says what it looks like") {
  const TempDir dir;
  const std::string dicom = std::string(128, '\0') + "DICM" + std::string(300, '\0');
  const std::pair<std::string, const char*> cases[] = {
      {"", "got only 0;"},
      {std::string(600, '\0'), "348 or 540, got 0"},
      {"PK\x03\x04" + std::string(600, 'x'), "a zip archive"},
      {"BZh9" + std::string(600, 'x'), "bzip2"},
      {"\x28\xB5\x2F\xFD" + std::string(600, 'x'), "zstd"},
      {dicom, "a DICOM file"},
      {"<!DOCTYPE html>" + std::string(600, 'x'), "a web page"},
      {"\xFF\xD8\xFF\xE0" + std::string(600, 'x'), "a JPEG image"},
      {gzip_compress(gzip_compress(NiftiBuilder().bytes())), "gzip data inside gzip data"},
      {gzip_compress(""), "got only 0;"},
  };
  for (const auto& [bytes, part] : cases) {
    CAPTURE(part);
    check_refused([&] { read_bytes(dir, bytes); }, ErrorCode::Format, part);
  }
  for (const std::int32_t size : {0, 347, 540, 1543569408 + 1}) {
    NiftiBuilder builder;
    check_refused([&] { read_bytes(dir, builder.put(0, size).bytes()); }, ErrorCode::Format, "");
  }
  const auto with_magic = [](const std::string& magic) {
    std::string bytes = NiftiBuilder().bytes();
    return bytes.replace(344, 4, magic);
  };
  check_refused([&] { read_bytes(dir, with_magic("XXXX")); }, ErrorCode::Format, "magic of NIfTI-1");
  check_refused([&] { read_bytes(dir, with_magic("n+2\0"s)); }, ErrorCode::Format, "magic of NIfTI-1");
  check_refused([&] { read_bytes(dir, with_magic("ni1\0"s)); }, ErrorCode::Unsupported, ".hdr and .img");
  check_refused([&] { read_bytes(dir, with_magic("\0\0\0\0"s)); }, ErrorCode::Unsupported, "ANALYZE 7.5");
  check_refused([&] { read_nifti(dir.path()); }, ErrorCode::Format, "a directory");
  REQUIRE(::mkfifo(dir.file("fifo.nii").c_str(), 0600) == 0);
  check_refused([&] { read_nifti(dir.file("fifo.nii")); }, ErrorCode::Format, "a FIFO");
  check_refused([&] { read_nifti(dir.file("absent.nii")); }, ErrorCode::NotFound, "absent.nii");
}

TEST_CASE("rejects files cut off anywhere, plain and compressed") {
  const TempDir dir;
  for (const NiftiLayout* layout : {&kNifti1Layout, &kNifti2Layout}) {
    const std::string whole = NiftiBuilder(*layout).bytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      check_refused([&] { read_bytes(dir, whole.substr(0, size)); }, ErrorCode::Format, "");
    }
    const std::string packed = gzip_compress(whole);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      CAPTURE(size);
      check_refused([&] { read_nifti(dir.write("v.nii.gz", packed.substr(0, size))); }, ErrorCode::Format, "");
    }
    check_refused([&] { read_nifti(dir.write("v.nii.gz", gzip_compress(whole.substr(0, whole.size() - 1)))); },
                  ErrorCode::Format, "the file is cut off");
  }
}

TEST_CASE("one flipped bit of a compressed volume never changes a voxel unnoticed") {
  const TempDir dir;
  NiftiBuilder builder;
  std::mt19937 random(3);
  builder.no_data().dim({3, 20, 20, 10});
  for (int i = 0; i < 4000; ++i) builder.append(static_cast<std::int16_t>(random() % 50));
  const std::string packed = gzip_compress(builder.bytes());
  const std::vector<float> expected = read_nifti(dir.write("v.nii.gz", packed)).voxels;
  for (int trial = 0; trial < 1000; ++trial) {
    std::string flipped = packed;
    const std::size_t bit = random() % (packed.size() * 8);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    std::vector<float> voxels;
    try {
      voxels = read_nifti(dir.write("v.nii.gz", flipped)).voxels;
    } catch (const Error&) {
      continue;
    }
    CHECK(voxels == expected);  // the bit was in the time stamp or the like
  }
}

TEST_CASE("trailing bytes are a warning; a second file, junk behind gzip and a bomb are refused") {
  const TempDir dir;
  const std::string whole = NiftiBuilder().bytes();
  const std::string packed = gzip_compress(whole);
  CHECK(has_warning(read_bytes(dir, whole + "12345"), "trailingBytes"));
  CHECK(has_warning(read_nifti(dir.write("v.nii.gz", gzip_compress(whole + "12345"))), "trailingBytes"));
  CHECK(read_nifti(dir.write("v.nii.gz", packed + std::string(100, '\0'))).warnings.empty());
  CHECK(read_nifti(dir.write("v.nii.gz", gzip_compress(whole.substr(0, 300)) + gzip_compress(whole.substr(300)) +
                                             gzip_compress("")))
            .warnings.empty());
  const auto refused = [&](const std::string& bytes, const char* part) {
    check_refused([&] { read_nifti(dir.write("v.nii.gz", bytes)); }, ErrorCode::Format, part);
  };
  refused(packed + packed, "two files were joined");
  refused(packed + "junk", "got other bytes");
  refused(gzip_compress(whole + std::string(16 << 20, '\0')), "got more");
}

TEST_CASE("rejects affines that cannot tell where left and right are") {
  const auto sform = [](const std::vector<double>& rows, const char* part) {
    check_each_refused([&](NiftiBuilder& b) { b.sform(1, rows); }, ErrorCode::Orientation, part);
  };
  sform(std::vector<double>(12, 0), "one axis has no direction");
  sform({1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0}, "two axes have the same direction");
  sform({1, 0, 0, 0, 0, 1, 0, 0, 0, kNan, 2, 0}, "infinite or undefined");
  sform({1, 0, 0, kInf, 0, 1, 0, 0, 0, 0, 2, 0}, "infinite or undefined");
  sform({1e-30, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0}, "voxel sizes of 0.1 to 20 mm");
  sform({1, 0.3, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0}, "% away from right angles");
  const auto qform = [](const std::array<double, 3>& quatern, const std::array<double, 3>& offset, const char* part) {
    check_each_refused([&](NiftiBuilder& b) { b.sform(0).qform(1, quatern, offset); }, ErrorCode::Orientation, part);
  };
  qform({5, 5, 5}, {0, 0, 0}, "longer than 1");
  qform({kNan, 0, 0}, {0, 0, 0}, "longer than 1");
  qform({kInf, 0, 0}, {0, 0, 0}, "longer than 1");
  qform({0, 0, 1}, {0, kNan, 0}, "infinite or undefined");
}

TEST_CASE("neither messages nor warnings repeat the free text of a header") {
  const TempDir dir;
  NiftiBuilder builder;
  const std::string canary = "PHI_CANARY_2\x1b[31m";
  for (const std::size_t offset : {std::size_t{4}, std::size_t{148}, std::size_t{228}, std::size_t{328}}) {
    std::string text = canary.substr(0, 16);
    for (std::size_t i = 0; i < text.size(); ++i) builder.put(offset + i, text[i]);
  }
  builder.units(1);
  for (const std::string& warning : read_bytes(dir, builder.bytes() + "x").warnings) {
    CHECK(warning.find("CANARY") == std::string::npos);
  }
  try {
    read_bytes(dir, builder.dim({0}).bytes());
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("CANARY") == std::string::npos);
    CHECK(error.detail().field == "dim");
    CHECK(error.detail().offset == 40);
    CHECK(error.detail().file == "v.nii");
  }
}

}  // namespace
}  // namespace brain3d::io
