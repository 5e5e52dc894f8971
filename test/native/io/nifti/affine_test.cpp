// Tests of which affine a file means, and of affines that look lost.
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "io/nifti/nifti_builder.h"

namespace brain3d::io {
namespace {

using test::check_refused;
using test::NiftiBuilder;
using test::read_bytes;
using test::TempDir;

// Rotations of which every axis lies within 30 degrees of a patient axis, so that there is no doubt which one it means.
TEST_CASE("random pairs of a sform and a qform are refused exactly where they mean different directions") {
  const TempDir dir;
  std::mt19937 random(7);
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random()) / static_cast<double>(std::mt19937::max());
  };
  using Matrix = std::array<double, 9>;  // row-major
  const auto rotation = [](double w, double x, double y, double z) {
    return Matrix{1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                  2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                  2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
  };
  // "+0-1+2" and the like of a matrix whose axes are clear, else nothing.
  const auto meaning = [](const Matrix& m) {
    std::string text;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      for (std::size_t row = 0; row < 3; ++row) {
        if (std::abs(m[3 * row + axis]) > std::cos(30 * std::acos(-1.0) / 180))
          text += (m[3 * row + axis] < 0 ? "-" : "+") + std::to_string(row);
      }
    }
    return text.size() == 6 ? text : "";
  };
  int clear = 0;
  int same = 0;
  for (int round = 0; round < 20000 && clear < 400; ++round) {
    std::array<double, 4> q{};
    double norm = 0;
    for (double& value : q) {
      value = uniform(-1, 1);
      norm += value * value;
    }
    for (double& value : q) value /= std::sqrt(norm);
    if (q[0] < 0)
      for (double& value : q) value = -value;
    const double qfac = random() % 2 == 0 ? 1 : -1;
    Matrix of_qform = rotation(q[0], q[1], q[2], q[3]);
    for (const std::size_t entry : {2U, 5U, 8U}) of_qform[entry] *= qfac;
    // The other one is near to it or anywhere, and mirrored or not.
    Matrix of_sform = of_qform;
    if (round % 3 == 0) {
      std::swap(of_sform[round % 2], of_sform[2]);
      std::swap(of_sform[3 + round % 2], of_sform[5]);
      std::swap(of_sform[6 + round % 2], of_sform[8]);
    }
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double sign = round % 4 == 1 && random() % 2 == 0 ? -1 : 1;
      const double scale = sign * uniform(0.9, 1.1);
      for (std::size_t row = 0; row < 3; ++row) of_sform[3 * row + axis] *= scale;
    }
    const auto [a, b] = std::pair(meaning(of_qform), meaning(of_sform));
    if (a.empty() || b.empty()) continue;
    ++clear;
    same += a == b ? 1 : 0;
    NiftiBuilder builder;
    builder.qform(1, {q[1], q[2], q[3]}, {uniform(-90, 90), uniform(-90, 90), uniform(-90, 90)}, qfac).pixdim(3, 1);
    std::vector<double> rows;
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t axis = 0; axis < 3; ++axis) rows.push_back(of_sform[3 * row + axis]);
      rows.push_back(uniform(-90, 90));
    }
    builder.sform(4, rows);
    CAPTURE(a);
    CAPTURE(b);
    if (a == b) {
      const NiftiImage image = read_bytes(dir, builder.bytes());
      CHECK(image.affine_source == "sform");
      for (std::size_t i = 0; i < 12; ++i) CHECK(image.affine[i] == static_cast<float>(rows[i]));
    } else {
      check_refused([&] { read_bytes(dir, builder.bytes()); }, ErrorCode::Orientation,
                    "left and right are not certain");
      CHECK(read_bytes(dir, builder.bytes(), {.prefer = "qform"}).affine_source == "qform");
    }
  }
  CHECK(clear == 400);
  CHECK(same > 100);
  CHECK(same < 300);
}

TEST_CASE("an affine that tools write who know only an array is a warning, and a template's is none") {
  const TempDir dir;
  // A row for each patient axis: R, A, S.
  const auto warnings = [&](const std::vector<std::int64_t>& shape, const std::vector<double>& rows) {
    NiftiBuilder builder;
    builder.no_data().dim({3, shape[0], shape[1], shape[2]}).sform(1, rows);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      builder.pixdim(axis + 1, std::hypot(rows[axis], rows[4 + axis], rows[8 + axis]));
    }
    const auto voxels = static_cast<std::size_t>(2 * shape[0] * shape[1] * shape[2]);
    return read_nifti_header(dir.write("v.nii", builder.text(std::string(voxels, '\0')).bytes())).warnings;
  };
  const auto one = [&](const std::vector<std::int64_t>& shape, const std::vector<double>& rows, const char* name,
                       const char* part) {
    CAPTURE(name);
    CAPTURE(part);
    const std::vector<std::string> found = warnings(shape, rows);
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with(std::string(name) + ":"));
    CHECK(found[0].find(part) != std::string::npos);
    return found[0];
  };
  const std::vector<std::int64_t> brats{240, 240, 155};
  const char* may = "; left and right may be wrong";
  const char* probably = "left and right are probably not what the header says";
  one(brats, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, "identityAffine", may);
  one(brats, {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0}, "cornerOrigin", may);             // SimpleITK's default
  one(brats, {1, 0, 0, -239, 0, 1, 0, -239, 0, 0, 1, 0}, "cornerOrigin", may);         // that, made canonical
  one({256, 256, 30}, {0.9, 0, 0, 0, 0, 0.9, 0, 0, 0, 0, 5, 0}, "cornerOrigin", may);  // np.diag of the spacings
  one({256, 256, 30}, {0.9, 0, 0, 0.45, 0, 0.9, 0, 0.45, 0, 0, 5, 2.5}, "cornerOrigin", may);
  one({256, 256, 30}, {-0.9, 0, 0, 114.75, 0, 0.9, 0, -114.75, 0, 0, 5, -72.5}, "centreOrigin", may);
  one({256, 256, 30}, {0.9, 0, 0, -115.2, 0, 0.9, 0, -115.2, 0, 0, 5, -75}, "centreOrigin", may);
  one({256, 256, 30}, {0.9, 0, 0, -128, 0, 0.9, 0, -128, 0, 0, 5, -15}, "centreOrigin", may);  // in voxels
  // Real ones: FLAIR_registered, and patient2-ax_t2, whose axes were exchanged as well.
  one({240, 240, 48}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, "identityAffine",
      "48 mm long along the axis that it calls superior");
  one({32, 349, 288}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}, "identityAffine",
      "32 mm long along the axis that it calls left-right");
  one({30, 256, 256}, {-5, 0, 0, 0, 0, -0.9, 0, 0, 0, 0, 0.9, 0}, "cornerOrigin", probably);
  one({30, 256, 256}, {5, 0, 0, 0, 0, 0.9, 0, 0, 0, 0, 0.9, 0}, "cornerOrigin",
      "its slices seem to lie along voxel axis 1, which it calls left-right; the axes may have been exchanged");
  one({30, 256, 256}, {0, 0, -0.9, 0, 0, -0.9, 0, 0, 5, 0, 0, 0}, "cornerOrigin", "along voxel axis 1");
  one({512, 512, 24}, {-1, 0, 0, 120, 0, -1, 0, 130, 0, 0, 1, -60}, "implausibleAxes", "every spacing is 1 mm");
  const std::vector<double> sri24[] = {
      {-1, 0, 0, 0, 0, -1, 0, 239, 0, 0, 1, 0},  // as BraTS stores it
      {1, 0, 0, -239, 0, 1, 0, 0, 0, 0, 1, 0},   // made canonical
  };
  for (const auto& rows : sri24) CHECK(warnings(brats, rows).empty());
  CHECK(warnings({182, 218, 182}, {-1, 0, 0, 90, 0, 1, 0, -126, 0, 0, 1, -72}).empty());  // MNI152
  CHECK(warnings({256, 256, 35}, {-0.859, 0, 0, 110, 0, -0.859, 0, 134.19, 0, 0, 5, -94.81}).empty());
  CHECK(warnings({320, 320, 48}, {-0.719, 0, 0, 123.7, 0, -0.719, 0, 108.3, 0, 0, 3, -46.98}).empty());
  CHECK(warnings({176, 232, 159}, {0.9998, 0.02, 0, 0, -0.02, 0.9998, 0, 0, 0, 0, 1, 0})
            .empty());  // turned: made on purpose
}

}  // namespace
}  // namespace brain3d::io
