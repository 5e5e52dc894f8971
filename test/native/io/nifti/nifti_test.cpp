#include "io/nifti/nifti.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "io/nifti/nifti_builder.h"
#include "io/safetensors/safetensors.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::golden;
using test::has_warning;
using test::kInf;
using test::kNan;
using test::NiftiBuilder;
using test::read_bytes;
using test::TempDir;

TEST_CASE("a volume reads with its voxels in stored order and its affine") {
  const TempDir dir;
  for (const NiftiLayout* layout : {&kNifti1Layout, &kNifti2Layout}) {
    for (const bool big_endian : {false, true}) {
      const NiftiImage image = read_bytes(dir, NiftiBuilder(*layout, big_endian).bytes());
      CHECK(image.shape == std::array<std::int64_t, 3>{3, 4, 5});
      REQUIRE(image.voxels.size() == 60);
      for (std::size_t i = 0; i < 60; ++i) CHECK(image.voxels[i] == static_cast<float>(i));
      CHECK(image.affine == std::array<double, 16>{-1, 0, 0, 10, 0, -1, 0, 20, 0, 0, 2, 30, 0, 0, 0, 1});
      CHECK(image.has_orientation);
      CHECK(image.affine_source == "sform");
      CHECK(image.spacing_mm == std::array<double, 3>{1, 1, 2});
      CHECK(image.datatype == "int16");
      CHECK(image.version == layout->version);
      CHECK(image.big_endian == big_endian);
      CHECK_FALSE(image.compressed);
      CHECK(image.num_volumes == 1);
      CHECK(image.warnings.empty());
    }
  }
}

TEST_CASE("the header alone reads without the voxels") {
  const TempDir dir;
  const std::string path =
      dir.write("v.nii.gz", gzip_compress(NiftiBuilder().dim({4, 3, 4, 5, 7}).text(std::string(720, 'x')).bytes()));
  const NiftiImage image = read_nifti_header(path);
  CHECK(image.voxels.empty());
  CHECK(image.num_volumes == 7);
  CHECK(image.compressed);
  CHECK(image.shape == std::array<std::int64_t, 3>{3, 4, 5});
}

// tools/reference/nifti.py: nibabel 5.4.2 in double, rounded once to float32, so the same bits.
TEST_CASE("every file of the reference reads as nibabel reads it") {
  const SafetensorsFile expected(golden("nifti/expected.safetensors"));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden("nifti"))) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".nii") && !name.ends_with(".nii.gz")) continue;
    ++files;
    CAPTURE(name);
    NiftiOptions options;
    if (name == "both.nii") {
      check_refused([&] { read_nifti(entry.path()); }, ErrorCode::Orientation, "--prefer-affine sform|qform");
      options.prefer = "sform";
    }
    const NiftiImage image = read_nifti(entry.path(), options);
    const auto tensor = [&](const std::string& key) {
      const TensorEntry& found = expected.tensors().at(name + key);
      std::vector<float> values((found.end - found.begin) / sizeof(float));
      std::memcpy(values.data(), expected.data(found), found.end - found.begin);
      return values;
    };
    const std::vector<float> data = tensor(".data");  // (I, J, K) row-major: k fastest
    const auto [ni, nj, nk] = image.shape;
    REQUIRE(data.size() == image.voxels.size());
    for (std::int64_t i = 0; i < ni; ++i) {
      for (std::int64_t j = 0; j < nj; ++j) {
        for (std::int64_t k = 0; k < nk; ++k) {
          const auto stored = static_cast<std::size_t>(i + ni * (j + nj * k));
          CHECK(image.voxels[stored] == data[static_cast<std::size_t>((i * nj + j) * nk + k)]);
        }
      }
    }
    CHECK(image.has_orientation == (name != "neither.nii"));
    if (!image.has_orientation) continue;  // nibabel guesses one
    const std::vector<float> affine = tensor(".affine");
    for (std::size_t i = 0; i < 16; ++i)
      CHECK(static_cast<float>(image.affine[i]) == doctest::Approx(affine[i]).epsilon(1e-6));
  }
  CHECK(files > 50);
}

TEST_CASE("voxels are scaled by slope and intercept unless the slope is 0 or not a number") {
  const TempDir dir;
  CHECK(read_bytes(dir, NiftiBuilder().scaling(0.5, -3).bytes()).voxels[7] == 0.5F);
  CHECK(read_bytes(dir, NiftiBuilder().scaling(-2, 0).bytes()).voxels[7] == -14);
  CHECK(read_bytes(dir, NiftiBuilder().scaling(0, 5).bytes()).voxels[7] == 7);
  CHECK(read_bytes(dir, NiftiBuilder().scaling(kNan, kNan).bytes()).voxels[7] == 7);
}

TEST_CASE("64-bit integers read up to 2^53 and are refused beyond") {
  const TempDir dir;
  const auto read_one = [&](auto value, std::int16_t code) {
    NiftiBuilder builder;
    builder.no_data().dim({3, 1, 1, 1}).type(code, 64).append(value);
    return read_bytes(dir, builder.bytes()).voxels[0];
  };
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  CHECK(read_one(-kExact, 1024) == -9007199254740992.0F);
  CHECK(read_one(static_cast<std::uint64_t>(kExact), 1280) == 9007199254740992.0F);
  check_refused([&] { read_one(kExact + 1, 1024); }, ErrorCode::Unsupported, "between -2^53 and 2^53");
  check_refused([&] { read_one(-kExact - 1, 1024); }, ErrorCode::Unsupported, "between -2^53 and 2^53");
  check_refused([&] { read_one(~std::uint64_t{0}, 1280); }, ErrorCode::Unsupported, "between -2^53 and 2^53");
}

TEST_CASE("a fourth axis of length 1 is a volume, and a volume of several is chosen by its index") {
  const TempDir dir;
  CHECK(read_bytes(dir, NiftiBuilder().dim({4, 3, 4, 5, 1}).bytes()).voxels.size() == 60);
  CHECK(read_bytes(dir, NiftiBuilder().dim({7, 3, 4, 5, 1, 1, 1, 1}).bytes()).voxels.size() == 60);
  NiftiBuilder builder;
  builder.dim({4, 3, 4, 1, 5});
  for (const std::string& path :
       {dir.write("v.nii", builder.bytes()), dir.write("v.nii.gz", gzip_compress(builder.bytes()))}) {
    for (std::int64_t index = 0; index < 5; ++index) {
      const NiftiImage image = read_nifti(path, {.volume_index = index});
      CHECK(image.voxels.size() == 12);
      CHECK(image.voxels[0] == static_cast<float>(12 * index));
      CHECK(image.num_volumes == 5);
    }
    check_refused([&] { read_nifti(path); }, ErrorCode::Unsupported,
                  "`--volume-index N` (API: volumeIndex), N from 0 to 4");
    check_refused([&] { read_nifti(path, {.volume_index = 5}); }, ErrorCode::Usage, "volume index of 0 to 4, got 5");
    check_refused([&] { read_nifti(path, {.volume_index = -2}); }, ErrorCode::Usage, "got -2");
  }
}

TEST_CASE("a cancelled read ends before the voxels, whichever of several volumes it is") {
  const TempDir dir;
  CancelFlag cancel;
  cancel.cancel();
  NiftiBuilder builder;
  builder.dim({4, 3, 4, 1, 5});
  for (const std::string& path :
       {dir.write("v.nii", builder.bytes()), dir.write("v.nii.gz", gzip_compress(builder.bytes()))}) {
    for (const std::int64_t index : {0, 4}) {
      CHECK_THROWS_WITH_AS(read_nifti(path, {.volume_index = index, .cancel = &cancel}), "the operation was cancelled",
                           Error);
    }
  }
}

TEST_CASE("header extensions are skipped") {
  const TempDir dir;
  for (const bool big_endian : {false, true}) {
    NiftiBuilder builder(kNifti1Layout, big_endian);
    builder.no_data().put(348, std::uint8_t{1}).append(32).append(6).text(std::string(24, 'P')).append(16).append(4);
    builder.text(std::string(8, 'H')).vox_offset(400).dim({3, 1, 1, 1}).append(std::int16_t{42});
    const NiftiImage image = read_bytes(dir, builder.bytes());
    CHECK(image.voxels[0] == 42);
    CHECK(image.warnings.empty());
  }
}

TEST_CASE("contents decide about compression, and a name that says otherwise is a warning") {
  const TempDir dir;
  const std::string whole = NiftiBuilder().bytes();
  CHECK(has_warning(read_nifti(dir.write("a.nii", gzip_compress(whole))), "fileName"));
  CHECK(has_warning(read_nifti(dir.write("a.nii.gz", whole)), "fileName"));
}

TEST_CASE("spatial units other than millimetres are a warning") {
  const TempDir dir;
  CHECK(has_warning(read_bytes(dir, NiftiBuilder().units(1).bytes()), "spatialUnits"));
  CHECK(read_bytes(dir, NiftiBuilder().units(0).bytes()).warnings.empty());
  CHECK(read_bytes(dir, NiftiBuilder().units(2 | 8).bytes()).warnings.empty());  // with seconds
}

TEST_CASE("without qform and sform there is no orientation, only a spacing") {
  const TempDir dir;
  const NiftiImage image = read_bytes(dir, NiftiBuilder().sform(0).bytes());
  CHECK_FALSE(image.has_orientation);
  CHECK(image.affine_source == "none");
  CHECK(image.affine == std::array<double, 16>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1});
}

TEST_CASE("the qform rotates, scales, mirrors the third axis and moves") {
  const TempDir dir;
  // A half turn about z, then the handedness of pixdim[0].
  const NiftiImage right = read_bytes(dir, NiftiBuilder().sform(0).qform(1, {0, 0, 1}, {10, 20, 30}).bytes());
  const NiftiImage left = read_bytes(dir, NiftiBuilder().sform(0).qform(1, {0, 0, 1}, {10, 20, 30}, -1).bytes());
  const std::array<double, 16> expected{-1, 0, 0, 10, 0, -1, 0, 20, 0, 0, 2, 30, 0, 0, 0, 1};
  CHECK(right.affine_source == "qform");
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(right.affine[i] == doctest::Approx(expected[i]));
    CHECK(left.affine[i] == doctest::Approx(i == 10 ? -2 : expected[i]));
  }
  const NiftiImage zero_qfac = read_bytes(dir, NiftiBuilder().sform(0).qform(1, {0, 0, 1}, {10, 20, 30}, 0).bytes());
  CHECK(zero_qfac.affine == right.affine);
}

TEST_CASE("a sform and a qform that agree are read, and a contradiction needs a choice") {
  const TempDir dir;
  const auto both = [](const std::array<double, 3>& quatern, const std::array<double, 3>& offset, double qfac) {
    return NiftiBuilder().qform(1, quatern, offset, qfac).bytes();
  };
  CHECK(read_bytes(dir, both({0, 0, 1}, {10, 20, 30}, 1)).affine_source == "sform");
  // A registration or a template moves, scales and turns: the standard's sform holds, and nothing is uncertain.
  for (const auto& bytes : {both({0, 0, 1}, {10, 20, 31.9}, 1), both({0, 0, 1}, {10, 20, 130}, 1),
                            both({0, 0, 0.9986}, {10, 20, 30}, 1), both({0.05, 0.05, 0.99}, {-40, 60, 30}, 1)}) {
    const NiftiImage image = read_bytes(dir, bytes);
    CHECK(image.affine[11] == 30);
    CHECK(image.affine_source == "sform");
    CHECK(image.warnings.empty());
  }
  CHECK(read_bytes(dir, NiftiBuilder().qform(1, {0, 0, 1}, {10, 20, 30}).pixdim(3, 2.3).bytes()).affine[10] == 2);
  CHECK(has_warning(read_bytes(dir, both({0, 0, 1}, {10, 20, 135}, 1)), "affinesDiffer"));
  CHECK(has_warning(read_bytes(dir, both({0, 0.2, 0.979}, {10, 20, 30}, 1)), "affinesDiffer"));
  CHECK(has_warning(read_bytes(dir, NiftiBuilder().qform(1, {0, 0, 1}, {10, 20, 30}).pixdim(3, 2.6).bytes()),
                    "affinesDiffer"));
  const std::pair<std::string, const char*> conflicts[] = {
      {both({0, 0, 1}, {10, 20, 30}, -1), "mirror image"},
      {both({0, 0, 0}, {10, 20, 32.5}, 1), "one says LPS, the other RAS; their axes differ by 180 degrees"},
      {both({0, 1, 0}, {10, 20, 30}, 1), "one says LPS, the other LAI"},
      {both({0, 0, std::sqrt(0.5)}, {10, 20, 30}, 1), "differ by 90 degrees"},
      // 42 degrees off the patient's left: another half a turn of the head's nod would be another direction.
      {both({0, 0, std::cos(21 * std::acos(-1.0) / 180)}, {10, 20, 30}, 1), "more than 40 degrees off the patient's"},
      {both({5, 5, 5}, {10, 20, 30}, 1), "choose it with `--prefer-affine"},
  };
  for (const auto& [bytes, part] : conflicts) {
    CAPTURE(part);
    check_refused([&] { read_bytes(dir, bytes); }, ErrorCode::Orientation, part);
    CHECK(read_bytes(dir, bytes, {.prefer = "sform"}).affine_source == "sform");
  }
  CHECK(read_bytes(dir, conflicts[1].first, {.prefer = "qform"}).affine[11] == 32.5);
  CHECK(read_bytes(dir, NiftiBuilder().bytes(), {.prefer = "qform"}).affine_source == "sform");  // there is no qform
  check_refused([&] { read_bytes(dir, conflicts[5].first, {.prefer = "qform"}); }, ErrorCode::Orientation,
                "longer than 1");
  check_refused([&] { read_bytes(dir, NiftiBuilder().bytes(), {.prefer = "both"}); }, ErrorCode::Usage, "got \"both\"");
}

TEST_CASE("an identity affine, some shear and a spacing that pixdim contradicts are warnings") {
  const TempDir dir;
  const NiftiImage identity =
      read_bytes(dir, NiftiBuilder().pixdim(3, 1).sform(2, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}).bytes());
  CHECK(has_warning(identity, "identityAffine"));
  CHECK(identity.has_orientation);
  CHECK(has_warning(read_bytes(dir, NiftiBuilder().sform(1, {1, 0.1, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0}).bytes()), "shear"));
  CHECK(has_warning(read_bytes(dir, NiftiBuilder().sform(1, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0}).bytes()),
                    "spacingMismatch"));
}

}  // namespace
}  // namespace brain3d::io
