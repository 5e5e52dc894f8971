// The cases of docs/hostile-files.md that are about the volume rather than its file: N31, N34, N37 to N39 and N60. The
// others are in test/native/io/nifti/matrix_test.cpp.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "io/bounds.h"
#include "io/nifti/nifti_builder.h"
#include "support/golden.h"
#include "volume/preprocess.h"

using namespace brain3d;
using namespace brain3d::volume;
using io::test::check_refused;
using io::test::NiftiBuilder;
using io::test::TempDir;

namespace {

/// 4 x 4 x 4 float voxels, all `value` but those that `change` sets.
template <typename Change>
std::string volume_file(float value, Change&& change) {
  std::array<float, 64> voxels;
  voxels.fill(value);
  change(voxels);
  NiftiBuilder builder;
  builder.no_data().dim({3, 4, 4, 4}).type(16, 32);
  for (const float voxel : voxels) builder.append(voxel);
  return builder.bytes();
}

Volume preprocessed(const std::string& path) {
  CancelFlag cancel;
  return preprocess(read_volume(path, {}), {{4, 4, 4}, 1, 99}, cancel);
}

TEST_CASE("N31: a file that does not say how it lies is refused, and read as the caller states with a record of it") {
  const TempDir dir;
  const std::string path = dir.write("v.nii", NiftiBuilder().sform(0).bytes());
  const io::test::Bounds bounds;
  check_refused([&] { read_volume(path, {}); }, ErrorCode::Orientation, "left and right would be a guess",
                "qform_code");
  check_refused([&] { read_volume_header(path, {}); }, ErrorCode::Orientation, "left and right would be a guess",
                "qform_code");
  bounds.check();
  ReadOptions stated;
  stated.orientation = "LPS";
  const Volume volume = read_volume(path, stated);
  CHECK(volume.affine_source == "stated");
  CHECK(axis_codes(nearest_axes(volume.affine)) == "LPS");
}

TEST_CASE("N34: a volume turned by 45 degrees is read with a warning, its axes chosen the same every time") {
  const TempDir dir;
  const double half = std::sqrt(0.5);
  const std::string path =
      dir.write("v.nii", NiftiBuilder().sform(1, {half, -half, 0, 0, half, half, 0, 0, 0, 0, 2, 0}).bytes());
  const Volume volume = read_volume(path, {});
  REQUIRE(volume.warnings.size() == 1);
  CHECK(volume.warnings[0].starts_with("oblique: the voxel axes are up to 45"));
  // nibabel.io_orientation of this affine, nibabel 5.4.2: [[0, 1], [1, 1], [2, 1]].
  for (int i = 0; i < 3; ++i) CHECK(axis_codes(nearest_axes(volume.affine)) == "RAS");
}

TEST_CASE("N37: a volume with voxels that are no numbers is refused, with their count") {
  const TempDir dir;
  for (const int count : {1, 10, 64}) {
    const std::string path =
        dir.write("v.nii", volume_file(1, [&](auto& voxels) {
                    std::fill_n(voxels.begin(), count, count % 2 == 0 ? io::test::kNan : io::test::kInf);
                  }));
    const io::test::Bounds bounds;
    check_refused([&] { preprocessed(path); }, ErrorCode::Volume,
                  concat("got ", count, " of 64 that are NaN or infinite"));
    bounds.check();
  }
}

TEST_CASE("a volume in Hounsfield units is read with a warning, others without") {
  const TempDir dir;
  const auto warned = [&](float background, float head) {
    const Volume volume = read_volume(
        dir.write("v.nii", volume_file(background, [&](auto& voxels) { std::fill_n(voxels.begin(), 24, head); })), {});
    return !volume.warnings.empty() && volume.warnings.back().starts_with("hounsfieldUnits: 63 % of the voxels");
  };
  CHECK(warned(-1024, 40));
  CHECK(warned(-3024, -100));
  CHECK(warned(-900, 200));
  CHECK_FALSE(warned(-899, 40));    // no air
  CHECK_FALSE(warned(-1024, 201));  // nothing soft
  CHECK_FALSE(warned(-4097, 40));   // not a CT's filler
  CHECK_FALSE(warned(0, 400));      // MRI
  std::array<float, 64> voxels;
  voxels.fill(-1000);
  std::fill_n(voxels.begin(), 32, 30.0F);
  const Affine identity{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  CHECK(
      volume_from_array(voxels.data(), {4, 4, 4}, identity).warnings.back() ==
      "hounsfieldUnits: 50 % of the voxels are -900 or less and 50 % from -100 to 200, as in a CT; brain3d is for MRI");
  // Few voxels of air, or few of anything soft, are not enough.
  std::fill(voxels.begin(), voxels.end(), 30.0F);
  std::fill_n(voxels.begin(), 6, -1000.0F);
  CHECK(volume_from_array(voxels.data(), {4, 4, 4}, identity).warnings.empty());
  voxels.fill(-1000);
  std::fill_n(voxels.begin(), 3, 30.0F);
  CHECK(volume_from_array(voxels.data(), {4, 4, 4}, identity).warnings.empty());
}

TEST_CASE("N38, N39: a volume that is constant, zero or almost nowhere bright is refused") {
  const TempDir dir;
  const std::pair<float, std::size_t> cases[] = {{7.5F, 0}, {0, 0}, {0, 1}};
  for (const auto& [value, bright] : cases) {
    // One bright voxel of 8,000: beyond the 99th percentile.
    NiftiBuilder builder;
    builder.no_data().dim({3, 20, 20, 20}).type(16, 32);
    for (std::size_t i = 0; i < 8000; ++i) builder.append(i < bright ? 1000.0F : value);
    const std::string path = dir.write("v.nii", builder.bytes());
    const io::test::Bounds bounds;
    check_refused([&] { preprocessed(path); }, ErrorCode::Volume, "it is constant or nearly empty");
    bounds.check();
  }
}

/// Voxel (i, j, k) of an asymmetric phantom stored along `orientation`, an axis permutation with signs.
std::vector<float> stored_phantom(const Affine& orientation, const std::array<std::int64_t, 3>& shape, bool mirrored) {
  const AxisMap map = nearest_axes(orientation);
  constexpr std::array<std::int64_t, 3> kPatient{5, 4, 3};
  std::vector<float> voxels;
  std::array<std::int64_t, 3> at{};
  for (at[2] = 0; at[2] < shape[2]; ++at[2])
    for (at[1] = 0; at[1] < shape[1]; ++at[1])
      for (at[0] = 0; at[0] < shape[0]; ++at[0]) {
        std::array<std::int64_t, 3> ras{};
        for (std::size_t axis = 0; axis < 3; ++axis) {
          const auto target = static_cast<std::size_t>(map.target[axis]);
          ras[target] = map.flip[axis] ? kPatient[target] - 1 - at[axis] : at[axis];
        }
        if (mirrored) ras[0] = kPatient[0] - 1 - ras[0];
        voxels.push_back(static_cast<float>(1 + ras[0] + 5 * ras[1] + 20 * ras[2]));
      }
  return voxels;
}

TEST_CASE(
    "N60: 48 orders of the axes, given by sform, qform or both, are one canonical volume; a mirror image is another") {
  const TempDir dir;
  constexpr std::array<double, 3> kSpacing{1, 2, 3};
  constexpr std::array<std::int64_t, 3> kPatient{5, 4, 3};
  at::Tensor reference;
  int equal = 0;
  std::array<std::size_t, 3> order{0, 1, 2};
  do {
    for (unsigned signs = 0; signs < 8; ++signs) {
      Affine affine{};
      affine[15] = 1;
      std::array<std::int64_t, 3> shape{};
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const bool backwards = (signs >> axis & 1U) != 0;
        shape[axis] = kPatient[order[axis]];
        affine[4 * order[axis] + axis] = backwards ? -kSpacing[order[axis]] : kSpacing[order[axis]];
        if (backwards) affine[4 * order[axis] + 3] = kSpacing[order[axis]] * static_cast<double>(shape[axis] - 1);
      }
      const auto write = [&](bool mirrored) {
        const std::vector<float> voxels = stored_phantom(affine, shape, mirrored);
        io::write_nifti(dir.file("v.nii"), {shape, voxels.data(), affine});
        return io::test::read_back(dir.file("v.nii"));
      };
      const std::string both = write(false);
      for (const std::size_t silenced : {std::size_t{0}, std::size_t{252}, std::size_t{254}}) {
        std::string bytes = both;
        if (silenced != 0) bytes.replace(silenced, 2, 2, '\0');  // qform_code or sform_code
        const Volume volume = canonicalise(read_volume(dir.write("v.nii", bytes), {}));
        CHECK(volume.affine_source == (silenced == 254 ? "qform" : "sform"));
        if (!reference.defined()) reference = volume.voxels;
        equal += volume.voxels.equal(reference) ? 1 : 0;
      }
      dir.write("v.nii", write(true));
      CHECK_FALSE(canonicalise(read_volume(dir.file("v.nii"), {})).voxels.equal(reference));
    }
  } while (std::next_permutation(order.begin(), order.end()));
  CHECK(equal == 144);
  CHECK(reference[0][0][0].item<float>() == 1);  // the patient's left, back, bottom
}

}  // namespace
