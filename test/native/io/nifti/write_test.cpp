#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "io/io_test_support.h"
#include "io/nifti/nifti.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::read_back;
using test::TempDir;

const std::array<double, 16> kLps{-1, 0, 0, 119.5, 0, -1, 0, 100.25, 0, 0, 1.5, -7, 0, 0, 0, 1};

std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) * 0.37F - 5;
  return values;
}

TEST_CASE("what is written reads back bit for bit, compressed or not, under any rotation") {
  const TempDir dir;
  const std::vector<float> voxels = ramp(2 * 3 * 4);
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 200; ++trial) {
    // A random rotation from a random quaternion; some trials force a half turn, where the qform's w is 0.
    std::array<double, 4> q{normal(random), normal(random), normal(random), normal(random)};
    if (trial % 5 == 0) q[0] = 0;
    if (trial % 5 == 1) q = {0, 0, 1e-9, 1};
    const double norm = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    for (double& part : q) part /= norm;
    const auto [w, x, y, z] = q;
    const double sign = trial % 2 == 0 ? 1 : -1;
    const std::array<double, 16> affine{(1 - 2 * (y * y + z * z)) * 0.9,
                                        2 * (x * y - w * z) * 1.1,
                                        sign * 2 * (x * z + w * y) * 3,
                                        4,
                                        2 * (x * y + w * z) * 0.9,
                                        (1 - 2 * (x * x + z * z)) * 1.1,
                                        sign * 2 * (y * z - w * x) * 3,
                                        -5,
                                        2 * (x * z - w * y) * 0.9,
                                        2 * (y * z + w * x) * 1.1,
                                        sign * (1 - 2 * (x * x + y * y)) * 3,
                                        6,
                                        0,
                                        0,
                                        0,
                                        1};
    const std::string path = dir.file(trial % 2 == 0 ? "w.nii" : "w.nii.gz");
    write_nifti(path, {.shape = {2, 3, 4}, .voxels = voxels.data(), .affine = affine});
    const NiftiImage image = read_nifti(path);  // compares sform and qform
    const NiftiImage by_qform = read_nifti(path, {.prefer = "qform"});
    CHECK(std::equal(image.voxels.begin(), image.voxels.end(), voxels.begin(), voxels.end()));
    CHECK(image.affine_source == "sform");
    CHECK(by_qform.affine_source == "qform");
    CHECK(image.warnings.empty());
    for (std::size_t i = 0; i < 16; ++i) {
      CHECK(image.affine[i] == static_cast<double>(static_cast<float>(affine[i])));
      CHECK(by_qform.affine[i] == doctest::Approx(affine[i]).epsilon(2e-3));
    }
  }
}

TEST_CASE("an affine with shear is written as sform alone") {
  const TempDir dir;
  std::array<double, 16> affine = kLps;
  affine[1] = 0.02;
  const float voxel = 1;
  write_nifti(dir.file("w.nii"), {.shape = {1, 1, 1}, .voxels = &voxel, .affine = affine});
  CHECK(read_nifti(dir.file("w.nii"), {.prefer = "qform"}).affine_source == "sform");
}

TEST_CASE("a written header is the same every time and has no free text") {
  const TempDir dir;
  const std::vector<float> voxels = ramp(8);
  const NiftiOutput output{.shape = {2, 2, 2}, .voxels = voxels.data(), .affine = kLps};
  write_nifti(dir.file("a.nii.gz"), output);
  write_nifti(dir.file("b.nii.gz"), output);
  CHECK(read_back(dir.file("a.nii.gz")) == read_back(dir.file("b.nii.gz")));
  write_nifti(dir.file("a.nii"), output);
  const std::string bytes = read_back(dir.file("a.nii"));
  CHECK(bytes.size() == 352 + 32);
  CHECK(bytes.substr(148, 104) == std::string(104, '\0'));  // descrip, aux_file
  CHECK(bytes[123] == 2);                                   // millimetres
}

TEST_CASE("rejects volumes that could not be read back") {
  const TempDir dir;
  const std::vector<float> voxels = ramp(8);
  const auto refused = [&](const std::array<std::int64_t, 3>& shape, const std::array<double, 16>& affine,
                           const float* data, const char* part) {
    check_refused([&] { write_nifti(dir.file("w.nii"), {.shape = shape, .voxels = data, .affine = affine}); },
                  ErrorCode::Usage, part);
  };
  std::array<double, 16> bad_row = kLps;
  bad_row[12] = 1;
  refused({2, 2, 0}, kLps, voxels.data(), "expected 1 to 4096 voxels");
  refused({2, 2, 4097}, kLps, voxels.data(), "expected 1 to 4096 voxels");
  refused({2, 2, 2}, {}, voxels.data(), "last row");
  refused({2, 2, 2}, bad_row, voxels.data(), "last row");
  refused({2, 2, 2}, kLps, nullptr, "expected voxels");
  CHECK_FALSE(std::filesystem::exists(dir.file("w.nii")));
}

TEST_CASE("a cancelled write leaves nothing") {
  const TempDir dir;
  CancelFlag cancel;
  cancel.cancel();
  const std::vector<float> voxels = ramp(24);
  NiftiOutput output{{2, 3, 4}, voxels.data(), kLps};
  output.cancel = &cancel;
  CHECK_THROWS_WITH_AS(write_nifti(dir.file("v.nii.gz"), output), "the operation was cancelled", Error);
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("integers are rounded, stored as such, and refused where they do not fit") {
  const TempDir dir;
  const std::vector<float> voxels{0, 1.4F, 2.5F, 254.6F};
  const LargeVector<float> rounded{0, 1, 2, 255};
  const std::string path = dir.file("mask.nii.gz");
  NiftiOutput output{.shape = {4, 1, 1}, .voxels = voxels.data(), .affine = kLps, .stored_as = StoredAs::UInt8};
  write_nifti(path, output);
  CHECK(read_nifti(path).voxels == rounded);
  CHECK(read_nifti(path).datatype == "uint8");
  output.stored_as = StoredAs::Int16;
  write_nifti(path, output);
  CHECK(read_nifti(path).voxels == rounded);
  CHECK(read_nifti(path).datatype == "int16");
  for (const float bad : {-1.0F, 256.0F, std::nanf("")}) {
    const NiftiOutput wrong{.shape = {1, 1, 1}, .voxels = &bad, .affine = kLps, .stored_as = StoredAs::UInt8};
    check_refused([&] { write_nifti(path, wrong); }, ErrorCode::Usage, "expected voxels from 0 to 255");
  }
}

}  // namespace
}  // namespace brain3d::io
