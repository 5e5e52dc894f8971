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
#include "io/nifti/nifti_builder.h"

namespace brain3d::io {
namespace {

using namespace std::string_literals;
using test::check_refused;
using test::kInf;
using test::kNan;
using test::NiftiBuilder;
using test::TempDir;

using Paths = std::vector<std::string>;
using Make = std::function<Paths(const TempDir&)>;
using Change = std::function<void(NiftiBuilder&)>;

struct Row {
  const char* id;
  const char* what;
  Make make;
  // Refused: code, field, part of the message. Accepted: the name of the only warning, or "".
  std::optional<ErrorCode> code;
  const char* field;
  const char* part;
  NiftiOptions options = {};
};

Row refused(const char* id, const char* what, Make make, ErrorCode code, const char* field, const char* part) {
  return {id, what, std::move(make), code, field, part};
}
Row accepted(const char* id, const char* what, Make make, const char* warning = "", NiftiOptions options = {}) {
  return {id, what, std::move(make), std::nullopt, "", warning, std::move(options)};
}

Make file(const std::string& name, const std::string& bytes) {
  return [=](const TempDir& dir) { return Paths{dir.write(name, bytes)}; };
}
Make plain(const std::string& bytes) { return file("v.nii", bytes); }
Make packed(const std::string& bytes) { return file("v.nii.gz", bytes); }

enum Form { kPlain = 1, kPacked = 2, kBoth = 3 };

// The change in both versions and byte orders.
Make each(const Change& change, Form form = kBoth) {
  return [=](const TempDir& dir) {
    Paths paths;
    for (const NiftiLayout* layout : {&kNifti1Layout, &kNifti2Layout}) {
      for (const bool big_endian : {false, true}) {
        NiftiBuilder builder(*layout, big_endian);
        change(builder);
        const std::string name = concat("v", layout->version, big_endian ? "b" : "l");
        if (form & kPlain) paths.push_back(dir.write(name + ".nii", builder.bytes()));
        if (form & kPacked) paths.push_back(dir.write(name + ".nii.gz", gzip_compress(builder.bytes())));
      }
    }
    return paths;
  };
}
Make dims(const std::vector<std::int64_t>& sizes) {
  return each([=](NiftiBuilder& b) { b.dim(sizes); });
}
Make first_version(const Change& change) {
  return [=](const TempDir& dir) {
    NiftiBuilder builder;
    change(builder);
    return Paths{dir.write("v.nii", builder.bytes())};
  };
}
// The file cut to each of these lengths.
Make cuts(const std::string& name, const std::string& bytes, std::size_t begin, std::size_t end) {
  return [=](const TempDir& dir) {
    Paths paths;
    for (std::size_t size = begin; size < end; ++size) {
      paths.push_back(dir.write(std::to_string(size) + name, bytes.substr(0, size)));
    }
    return paths;
  };
}

std::string good() { return NiftiBuilder().bytes(); }
std::string with_magic(const std::string& magic) { return good().replace(344, magic.size(), magic); }
// One voxel behind an extension list.
std::string extended(const std::string& list) {
  NiftiBuilder builder;
  builder.no_data().put(348, std::uint8_t{1}).text(list).vox_offset(static_cast<double>(352 + list.size()));
  return builder.dim({3, 1, 1, 1}).append(std::int16_t{42}).bytes();
}
std::string extension(std::int32_t size) { return test::raw(size) + std::string(28, 'x'); }

std::vector<Row> shape_rows() {
  constexpr auto kFormat = ErrorCode::Format;
  constexpr auto kUnsupported = ErrorCode::Unsupported;
  const std::int64_t huge = std::int64_t{1} << 40;
  return {
      refused("N01", "an empty file", plain(""), kFormat, "sizeof_hdr", "got only 0"),
      refused("N01", "an empty gzip stream", packed(gzip_compress("")), kFormat, "sizeof_hdr", "got only 0"),
      refused("N02", "1 to 351 bytes of a header", cuts(".nii", good(), 1, 352), kFormat, "sizeof_hdr", "cut off"),
      refused("N02", "the same of NIfTI-2", cuts(".nii", NiftiBuilder(kNifti2Layout).bytes(), 1, 544), kFormat,
              "sizeof_hdr", "cut off"),
      refused("N03", "a header alone", each([](NiftiBuilder& b) { b.no_data(); }, kPlain), kFormat, "dim", "cut off"),
      refused("N03", "a header alone, compressed", each([](NiftiBuilder& b) { b.no_data(); }, kPacked), kFormat,
              "voxels", "cut off"),
      refused("N04", "one byte less than the header says", plain(good().substr(0, good().size() - 1)), kFormat, "dim",
              "expected 472 bytes by its header, but the file has only 471"),
      refused("N04", "half of the voxels", plain(good().substr(0, good().size() - 60)), kFormat, "dim", "only 412"),
      refused("N04", "one byte less, compressed", packed(gzip_compress(good().substr(0, good().size() - 1))), kFormat,
              "voxels", "expected 120 bytes of voxels at offset 352, got only 119"),
      accepted("N05", "bytes behind the voxels", plain(good() + "12345"), "trailingBytes"),
      accepted("N05", "bytes behind the voxels, compressed", packed(gzip_compress(good() + "12345")), "trailingBytes"),
      refused("N06", "sizeof_hdr 0", first_version([](NiftiBuilder& b) { b.put(0, std::int32_t{0}); }), kFormat,
              "sizeof_hdr", "348 or 540, got 0"),
      refused("N06", "540 over the fields of 348", plain(NiftiBuilder().put(0, std::int32_t{540}).bytes() + good()),
              kFormat, "magic", "magic of NIfTI-2"),
      accepted("N06", "348 in the other byte order", plain(NiftiBuilder(kNifti1Layout, true).bytes())),
      refused("N07", "the magic XXXX", plain(with_magic("XXXX")), kFormat, "magic", "magic of NIfTI-1"),
      refused("N08", "the magic of a pair in one file", plain(with_magic("ni1\0"s)), kUnsupported, "magic",
              ".hdr and .img"),
      refused("N09", "ANALYZE 7.5", plain(with_magic("\0\0\0\0"s)), kUnsupported, "magic", "ANALYZE 7.5"),
      refused("N10", "no dimensions", dims({0}), kFormat, "dim", "1 to 7 dimensions, got 0"),
      refused("N11", "one dimension", dims({1}), kUnsupported, "dim", "expected a 3-D volume, got 1"),
      refused("N11", "one slice", dims({2}), kUnsupported, "dim", "expected a 3-D volume, got 2"),
      accepted("N12", "a fourth axis of length 1", dims({4, 3, 4, 5, 1})),
      refused("N13", "five volumes", each([](NiftiBuilder& b) {
                b.dim({4, 3, 4, 1, 5});
              }),
              kUnsupported, "dim", "volumeIndex"),
      accepted("N13", "one of five volumes", dims({4, 3, 4, 1, 5}), "", {.volume_index = 4}),
      accepted("N14", "seven axes, the last four of length 1", dims({7, 3, 4, 5, 1, 1, 1, 1})),
      refused("N14", "three elements a voxel", dims({5, 3, 4, 5, 1, 3}), kUnsupported, "dim",
              "got 3 elements along axis 5"),
      refused("N15", "eight dimensions", dims({8}), kFormat, "dim", "1 to 7 dimensions, got 8"),
      refused("N15", "nine dimensions", dims({9}), kFormat, "dim", "got 9"),
      refused("N15", "-1 dimensions", dims({-1}), kFormat, "dim", "got -1"),
      refused("N16", "an axis of length 0", dims({3, 0}), kFormat, "dim", "positive size of axis 1, got 0"),
      refused("N17", "an axis of length -1", dims({3, 3, -1}), kFormat, "dim", "size of axis 2, got -1"),
      refused("N17", "an axis of length -32768", dims({3, 3, -32768}), kFormat, "dim", "axis 2, got -32768"),
      refused("N18", "32767 cubed", dims({3, 32767, 32767, 32767}), kUnsupported, "dim", "at most 4096 voxels"),
      refused("N18", "more than the file holds", dims({3, 600, 600, 700}), kFormat, "dim", "cut off"),
      refused("N18", "more voxels than the limit", dims({3, 4096, 4096, 4096}), kUnsupported, "dim",
              "at most 268435456 voxels"),
      {"N18",
       "more voxels than the caller's limit",
       plain(good()),
       kUnsupported,
       "dim",
       "at most 59 voxels",
       {.max_voxels = 59}},
      refused("N19", "NIfTI-2 sizes of 2^40", plain(NiftiBuilder(kNifti2Layout).dim({3, huge, huge, huge}).bytes()),
              kUnsupported, "dim", "at most 4096 voxels"),
      refused("N19", "2^63 - 1 volumes",
              plain(NiftiBuilder(kNifti2Layout).dim({4, 4, 4, 4, std::numeric_limits<std::int64_t>::max()}).bytes()),
              kFormat, "dim", "size below 2^64"),
  };
}

std::vector<Row> field_rows() {
  constexpr auto kFormat = ErrorCode::Format;
  constexpr auto kUnsupported = ErrorCode::Unsupported;
  std::vector<Row> rows;
  const std::pair<std::int16_t, const char*> types[] = {{0, "data type 0"}, {1, "(binary)"}, {9999, "data type 9999"}};
  for (const auto& [code, part] : types) {
    rows.push_back(refused("N20", part, each([code = code](NiftiBuilder& b) { b.type(code, 16); }), kUnsupported,
                           "datatype", part));
  }
  const std::pair<std::int16_t, const char*> named[] = {{32, "(complex64)"},    {128, "(RGB24)"},
                                                        {1536, "(float128)"},   {1792, "(complex128)"},
                                                        {2048, "(complex256)"}, {2304, "(RGBA32)"}};
  for (const auto& [code, part] : named) {
    rows.push_back(refused("N21", part, each([code = code](NiftiBuilder& b) { b.type(code, 64); }), kUnsupported,
                           "datatype", part));
  }
  rows.push_back(refused("N22", "8 bits of int16", each([](NiftiBuilder& b) { b.type(4, 8); }), kFormat, "bitpix",
                         "expected 16 bits per voxel for int16, got 8"));
  for (const double offset : {0.0, 351.0, -16.0, kNan, kInf, 352.5}) {
    rows.push_back(refused("N23", "voxels that begin in the header or nowhere",
                           first_version([=](NiftiBuilder& b) { b.vox_offset(offset); }), kFormat, "vox_offset",
                           "whole offset"));
  }
  rows.push_back(refused("N23", "voxels behind the file", each([](NiftiBuilder& b) { b.vox_offset(1e9); }, kPlain),
                         kFormat, "dim", "cut off"));
  for (const std::int32_t size : {0, 7, 8, 24, -16, 64, std::numeric_limits<std::int32_t>::max()}) {
    rows.push_back(
        refused("N24", "an extension of no possible size", plain(extended(extension(size))), kFormat, "extension", ""));
  }
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += test::raw(16) + std::string(12, 'x');
  rows.push_back(refused("N25", "10,000 extensions", plain(extended(many)), kFormat, "extension", "at most 1000"));
  rows.push_back(refused("N25", "an extension of 1 GiB", plain(extended(extension(1 << 30))), kFormat, "extension",
                         "one of 1073741824 bytes"));
  rows.push_back(refused("N25", "2 MiB of extensions", plain(extended(std::string(2 << 20, 'x'))), kUnsupported,
                         "extension", "at most 1048576 bytes"));
  for (const double size : {0.0, -1.0, kNan, kInf, 1e-30, 1e30}) {
    rows.push_back(refused("N26", "an impossible voxel size", each([=](NiftiBuilder& b) { b.pixdim(2, size); }),
                           kFormat, "pixdim", "voxel size of 0.1 to 20 mm along axis 2"));
  }
  for (const auto& [slope, inter] : {std::pair{kInf, 0.0}, {-kInf, 0.0}, {2.0, kNan}, {2.0, kInf}}) {
    rows.push_back(refused("N36", "a scaling that is not finite",
                           each([=](NiftiBuilder& b) { b.scaling(slope, inter); }), kFormat, "scl_slope",
                           "expected a finite scaling"));
  }
  for (const double slope : {0.0, kNan}) {
    rows.push_back(accepted("N36", "no scaling", each([=](NiftiBuilder& b) { b.scaling(slope, kNan); })));
  }
  for (const std::int16_t code : {std::int16_t{1024}, std::int16_t{1280}}) {
    const auto wide = [=](std::int64_t value) {
      return each([=](NiftiBuilder& b) { b.no_data().type(code, 64).dim({3, 1, 1, 1}).append(value); });
    };
    rows.push_back(refused("N40", "an integer beyond 2^53", wide((std::int64_t{1} << 53) + 2), kUnsupported, "voxels",
                           "between -2^53 and 2^53"));
    rows.push_back(accepted("N40", "the integer 2^53", wide(std::int64_t{1} << 53)));
  }
  return rows;
}

std::vector<Row> affine_rows() {
  constexpr auto kOrientation = ErrorCode::Orientation;
  const auto sform = [](std::vector<double> rows) { return each([=](NiftiBuilder& b) { b.sform(1, rows); }); };
  const auto qform = [](const std::array<double, 3>& quatern, const std::array<double, 3>& offset) {
    return each([=](NiftiBuilder& b) { b.sform(0).qform(1, quatern, offset); });
  };
  // Beside the builder's sform, LPS: its qform is a half turn about z.
  const auto both = [](const std::array<double, 3>& quatern, const std::array<double, 3>& offset) {
    return each([=](NiftiBuilder& b) { b.qform(1, quatern, offset); });
  };
  const double tilted = std::cos(5 * std::acos(-1.0) / 180);
  std::vector<Row> rows{
      refused("N27", "an sform of zeros", sform(std::vector<double>(12, 0)), kOrientation, "sform",
              "one axis has no direction"),
      refused("N28", "NaN in the sform", sform({1, 0, 0, 0, 0, 1, 0, 0, 0, kNan, 2, 0}), kOrientation, "sform",
              "infinite or undefined"),
      refused("N28", "infinity in the sform", sform({1, 0, 0, kInf, 0, 1, 0, 0, 0, 0, 2, 0}), kOrientation, "sform",
              "infinite or undefined"),
      refused("N29", "two equal columns", sform({1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0}), kOrientation, "sform",
              "two axes have the same direction"),
      refused("N29", "columns a hundred thousand times apart", sform({1e-5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0}),
              kOrientation, "sform", "voxel sizes of 0.1 to 20 mm"),
      refused("N30", "a quaternion of length 8.7", qform({5, 5, 5}, {0, 0, 0}), kOrientation, "qform", "longer than 1"),
      refused("N30", "a quaternion that is no number", qform({kNan, 0, 0}, {0, 0, 0}), kOrientation, "qform",
              "longer than 1"),
      refused("N30", "an offset that is no number", qform({0, 0, 1}, {0, kNan, 0}), kOrientation, "qform",
              "infinite or undefined"),
      refused("N32", "sform and qform mirrored", both({0, 0, 0}, {10, 20, 30}), kOrientation, "sform", "disagree"),
      refused("N32", "sform and qform a quarter turn apart", both({0, 0, std::sqrt(0.5)}, {10, 20, 30}), kOrientation,
              "sform", "90 degrees"),
      accepted("N32", "sform and qform 10 degrees apart",
               both({0, std::sqrt(1 - tilted * tilted), tilted}, {10, 20, 30})),
      accepted("N32", "sform and qform 5 mm apart", both({0, 0, 1}, {10, 20, 35})),
      accepted("N32", "sform and qform 105 mm apart", both({0, 0, 1}, {10, 20, 135}), "affinesDiffer"),
      accepted("N32", "the choice between them", both({0, 0, 0}, {10, 20, 30}), "", {.prefer = "qform"}),
      accepted("N33", "6 % shear", sform({1, 0.06, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0}), "shear"),
      refused("N33", "30 % shear", sform({1, 0.3, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0}), kOrientation, "sform",
              "away from right angles"),
      accepted("N35", "the identity", each([](NiftiBuilder& b) {
                 b.pixdim(3, 1).sform(1, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0});
               }),
               "identityAffine"),
  };
  return rows;
}

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
