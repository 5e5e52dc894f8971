// Hostile and odd NIfTI headers by number (docs/hostile-files.md): shapes, other fields, affines. matrix_test.cpp reads
// them.
#include <cmath>
#include <limits>

#include "io/nifti/hostile_rows.h"

namespace brain3d::io::hostile {

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

}  // namespace brain3d::io::hostile
