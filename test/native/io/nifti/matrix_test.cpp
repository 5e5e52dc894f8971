// Hostile and odd NIfTI files by number: N01 to N60 of docs/hostile-files.md. Each row makes its files (in both
// versions, both byte orders, plain and compressed where that applies), reads each and compares code, field and
// message, or the warning of what is accepted, within the bounds of io/bounds.h. N31, N34, N37 to N39 and N60 are about
// the volume rather than the file: test/native/volume/volume_matrix_test.cpp. N45, N54, N58 and N59 have cases of their
// own below.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "io/bounds.h"
#include "io/gzip_bomb.h"
#include "io/nifti/hostile_rows.h"

namespace brain3d::io {
namespace {

using namespace hostile;
using test::check_refused;

std::vector<Row> gzip_rows() {
  constexpr auto kFormat = ErrorCode::Format;
  const std::string whole = good();
  const std::string gz = gzip_compress(whole);
  const std::string gz2 = gzip_compress(NiftiBuilder(kNifti2Layout).bytes());
  const auto altered = [&](std::size_t from_end) {
    std::string bytes = gz;
    bytes[bytes.size() - from_end] = static_cast<char>(bytes[bytes.size() - from_end] ^ 1);
    return packed(bytes);
  };
  const std::string halves = gzip_compress(whole.substr(0, 300)) + gzip_compress(whole.substr(300));
  NiftiBuilder huge;
  huge.no_data().dim({3, 4096, 4096, 17}).type(2, 8);
  return {
      refused("N42", "cut off anywhere", cuts(".nii.gz", gz, 2, gz.size()), kFormat, "", "cut off"),
      refused("N42", "the same of NIfTI-2", cuts(".nii.gz", gz2, 2, gz2.size()), kFormat, "", "cut off"),
      refused("N43", "a wrong CRC-32", altered(8), kFormat, "", "incorrect data check"),
      refused("N44", "a wrong length", altered(4), kFormat, "", "incorrect length check"),
      refused("N46", "other bytes behind it", packed(gz + "junk"), kFormat, "", "got other bytes"),
      accepted("N46", "zeros behind it", packed(gz + std::string(100, '\0'))),
      refused("N47", "two files joined", packed(gz + gz), kFormat, "", "two files were joined"),
      accepted("N48", "one file in two members", packed(halves + gzip_compress(""))),
      refused("N49", "256 MiB behind the voxels", packed(test::gzip_bomb(whole, 256)), kFormat, "", "got more"),
      refused("N49", "1 GiB behind the voxels", packed(test::gzip_bomb(whole, 1024)), kFormat, "", "got more"),
      refused("N49", "1 GiB of zeros", packed(test::gzip_bomb("", 1024)), kFormat, "sizeof_hdr", "got 0"),
      refused("N49", "gzip data in gzip data", packed(gzip_compress(gz)), kFormat, "magic", "gzip data inside"),
      refused("N50", "1 GiB behind a header that asks for it", packed(test::gzip_bomb(huge.bytes(), 1024)),
              ErrorCode::Unsupported, "dim", "at most 268435456 voxels"),
      accepted("N51", "a compressed file called .nii", plain(gz), "fileName"),
      accepted("N51", "a plain file called .nii.gz", packed(whole), "fileName"),
  };
}

Make paths(const std::function<Paths(const TempDir&)>& make) { return make; }

std::vector<Row> system_rows() {
  constexpr auto kFormat = ErrorCode::Format;
  std::vector<Row> rows;
  const std::pair<std::string, const char*> foreign[] = {
      {"BZh9", "bzip2"},
      {"\x28\xB5\x2F\xFD", "zstd"},
      {"PK\x03\x04", "a zip archive"},
      {std::string(128, '\0') + "DICM", "a DICOM file"},
      {"<!DOCTYPE html>", "a web page"},
      {"\xFF\xD8\xFF\xE0", "a JPEG image"},
      {std::string(128, '\0') + "DICM", "give the folder that holds the slices"},
      {"\x08\x00\x05\x00\x0A\x00"s, "give the folder that holds the slices"},
      {"\x00\x00\x00\x01\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\xFF\x00\x00\x00\x01\x00\x00\x00\x03"s,
       "mri_convert"},
      {"ObjectType = Image\nNDims = 3\n", "a MetaImage file"},
      {"NRRD0004\n", "an NRRD file; convert it"},
      {"CDF\x01", "a MINC file"},
      {"\x89HDF\r\n\x1A\n", "MINC"},
      {"\ntype  = string-attribute\n", "AFNI"},
      {"# === DATA DESCRIPTION FILE ===", "PAR/REC"},
      {"\x93NUMPY\x01", "a NumPy array"},
      {"II*\0"s, "a TIFF image"},
      {std::string(257, 'a') + "ustar", "a tar archive"},
      {"{\"Modality\": \"MR\"}", "a JSON text"},
  };
  for (const auto& [start, part] : foreign) {
    for (const char* name : {"v.nii", "v.nii.gz"}) {
      rows.push_back(refused("N51", part, file(name, start + std::string(600, 'x')), kFormat, "magic", part));
    }
  }
  rows.push_back(refused("N52", "one file of a pair", file("v.hdr", with_magic("ni1\0"s)), ErrorCode::Unsupported,
                         "magic", ".hdr and .img"));
  // A pair's header ends after 348 bytes, which is no file that is cut off.
  rows.push_back(refused("N52", "the header of a pair alone", file("v.hdr", with_magic("ni1\0"s).substr(0, 348)),
                         ErrorCode::Unsupported, "magic", ".hdr and .img"));
  rows.push_back(refused("N52", "an ANALYZE header alone", file("v.hdr", with_magic("\0\0\0\0"s).substr(0, 348)),
                         ErrorCode::Unsupported, "magic", "ANALYZE 7.5"));
  rows.push_back(refused("N52", "the voxels of a pair", file("V.IMG", std::string(4000, '\x11')), kFormat, "sizeof_hdr",
                         "whose header is in the .hdr beside it"));
  rows.push_back(refused("N53", "a directory", paths([](const TempDir& dir) { return Paths{dir.path()}; }), kFormat, "",
                         "a directory"));
  rows.push_back(refused("N53", "a FIFO", paths([](const TempDir& dir) {
                           REQUIRE(::mkfifo(dir.file("fifo.nii").c_str(), 0600) == 0);
                           return Paths{dir.file("fifo.nii")};
                         }),
                         kFormat, "", "a FIFO"));
  rows.push_back(refused("N53", "a socket", paths([](const TempDir& dir) {
                           const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
                           sockaddr_un address{};
                           address.sun_family = AF_UNIX;
                           const std::string path = dir.file("s.nii");
                           path.copy(address.sun_path, sizeof(address.sun_path) - 1);
                           REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
                           return Paths{path};
                         }),
                         kFormat, "", "a socket"));
  rows.push_back(
      refused("N53", "a device", paths([](const TempDir&) { return Paths{"/dev/zero"}; }), kFormat, "", "a device"));
  rows.push_back(refused("N53", "a file that the system makes up",
                         paths([](const TempDir&) { return Paths{"/proc/self/status"}; }), kFormat, "sizeof_hdr",
                         "got only 0"));
  rows.push_back(
      refused("N55", "names that lead nowhere, escaped", paths([](const TempDir& dir) {
                std::filesystem::create_symlink("nowhere", dir.file("dangling\n.nii"));
                return Paths{dir.file("dangling\n.nii"), dir.file("\xE2\x80\xAE.nii\n"), dir.file("\xFF\n.nii")};
              }),
              ErrorCode::NotFound, "", "\\x0a"));
  rows.push_back(refused("N55", "a link to itself, a name of 4096 characters", paths([](const TempDir& dir) {
                           std::filesystem::create_symlink("loop.nii", dir.file("loop.nii"));
                           return Paths{dir.file("loop.nii"), dir.file(std::string(4096, 'n'))};
                         }),
                         ErrorCode::Io, "", "cannot open it"));
  if (::geteuid() != 0) {  // root may read everything
    rows.push_back(refused("N55", "a file without permissions", paths([](const TempDir& dir) {
                             const std::string path = dir.write("v.nii", good());
                             REQUIRE(::chmod(path.c_str(), 0) == 0);
                             return Paths{path};
                           }),
                           ErrorCode::Io, "", "Permission denied"));
  }
  const auto sparse = [](const std::string& start) {
    return paths([=](const TempDir& dir) {
      const std::string path = dir.write("v.nii", start);
      std::filesystem::resize_file(path, std::uintmax_t{1} << 30);
      return Paths{path};
    });
  };
  rows.push_back(refused("N56", "1 GiB of nothing", sparse(""), kFormat, "sizeof_hdr", "348 or 540, got 0"));
  rows.push_back(refused("N56", "1 GiB of nothing behind the voxels", sparse(good()), kFormat, "dim",
                         "at most 1048576 bytes after the voxels"));
  rows.push_back(refused("N57", "NIfTI-2's magic in a NIfTI-1 header", plain(with_magic("n+2\0"s)), kFormat, "magic",
                         "magic of NIfTI-1"));
  rows.push_back(refused("N57", "NIfTI-1's magic in a NIfTI-2 header",
                         plain(std::string(NiftiBuilder(kNifti2Layout).bytes()).replace(4, 8, "n+1\0\0\0\0\0"s)),
                         kFormat, "magic", "magic of NIfTI-2"));
  return rows;
}

// That every datatype gives nibabel's voxels in both byte orders is in nifti_test.cpp.
std::vector<Row> byte_order_rows() {
  std::vector<Row> rows;
  for (const bool big_endian : {false, true}) {
    rows.push_back(accepted("N41", "the other byte order", plain(NiftiBuilder(kNifti1Layout, big_endian).bytes())));
  }
  return rows;
}

void run(const Row& row) {
  CAPTURE(row.id);
  CAPTURE(row.what);
  const TempDir dir;
  const Paths files = row.make(dir);
  const std::string intact = dir.write("intact.nii", good());
  const test::Bounds bounds;
  for (const std::string& path : files) {
    CAPTURE(base_name(path));
    if (row.code) {
      check_refused([&] { read_nifti(path, row.options); }, *row.code, row.part, row.field);
      continue;
    }
    const NiftiImage image = read_nifti(path, row.options);
    CHECK(image.warnings.size() == (*row.part == '\0' ? 0 : 1));
    for (const std::string& warning : image.warnings) CHECK(warning.starts_with(row.part + ":"s));
    CHECK(read_nifti_header(path, row.options).shape == image.shape);
  }
  bounds.check();
  CHECK(read_nifti(intact).voxels.size() == 60);  // the process goes on as before
}

TEST_CASE("hostile NIfTI files N01 to N57") {
  std::set<std::string> ids;
  for (const auto& rows : {shape_rows(), field_rows(), affine_rows(), gzip_rows(), system_rows(), byte_order_rows()}) {
    for (const Row& row : rows) {
      run(row);
      ids.insert(row.id);
    }
  }
  const std::set<std::string> elsewhere{"N31", "N34", "N37", "N38", "N39", "N45", "N54", "N58", "N59", "N60"};
  for (int number = 1; number <= 60; ++number) {
    const std::string id = concat("N", number < 10 ? "0" : "", number);
    CAPTURE(id);
    CHECK(ids.contains(id) != elsewhere.contains(id));
  }
}

TEST_CASE("rejects every broken file of the reference") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::golden("nifti/invalid"))) {
    ++files;
    CAPTURE(entry.path().filename().string());
    CHECK_THROWS_AS(read_nifti(entry.path()), Error);
  }
  CHECK(files >= 12);
}

TEST_CASE("N45: one flipped bit of a compressed volume never changes a voxel unnoticed") {
  const TempDir dir;
  NiftiBuilder builder;
  std::mt19937 random(3);
  builder.no_data().dim({3, 20, 20, 10});
  for (int i = 0; i < 4000; ++i) builder.append(static_cast<std::int16_t>(random() % 50));
  const std::string packed_bytes = gzip_compress(builder.bytes());
  const LargeVector<float> expected = read_nifti(dir.write("v.nii.gz", packed_bytes)).voxels;
  for (int trial = 0; trial < 1000; ++trial) {
    std::string flipped = packed_bytes;
    const std::size_t bit = random() % (flipped.size() * 8);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    LargeVector<float> voxels;
    try {
      voxels = read_nifti(dir.write("v.nii.gz", flipped)).voxels;
    } catch (const Error&) {
      continue;
    }
    CHECK(voxels == expected);  // the bit was in the time stamp or the like
  }
}

TEST_CASE("N54: a file that another program cuts and restores while it is read gives its voxels or an error") {
  const TempDir dir;
  NiftiBuilder builder;
  builder.no_data().dim({3, 100, 100, 100});
  builder.text(std::string(2'000'000, '\1'));
  const std::string path = dir.write("v.nii", builder.bytes());
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      std::filesystem::resize_file(path, 1'000'000);
      std::filesystem::resize_file(path, builder.bytes().size());
    }
  });
  for (int trial = 0; trial < 50; ++trial) {
    std::size_t voxels = 1'000'000;
    ErrorCode code = ErrorCode::Io;
    try {
      voxels = read_nifti(path).voxels.size();
    } catch (const Error& error) {
      code = error.code();
    }
    CHECK(voxels == 1'000'000);
    CHECK((code == ErrorCode::Io || code == ErrorCode::Format));
  }
  done = true;
  other.join();
}

TEST_CASE("N58, N59: neither messages nor warnings repeat the free text of a header") {
  const TempDir dir;
  NiftiBuilder builder;
  const std::string canary = "PHI_CANARY_2\x1b[31m";
  for (const std::size_t offset : {std::size_t{4}, std::size_t{148}, std::size_t{228}, std::size_t{328}}) {
    const std::string text = canary.substr(0, 16);
    for (std::size_t i = 0; i < text.size(); ++i) builder.put(offset + i, text[i]);
  }
  builder.units(1);
  for (const std::string& warning : test::read_bytes(dir, builder.bytes() + "x").warnings) {
    CHECK(warning.find("CANARY") == std::string::npos);
  }
  try {
    test::read_bytes(dir, builder.dim({0}).bytes());
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
