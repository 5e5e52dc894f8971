// Preprocessing against nibabel, numpy and torch (fixtures of tools/reference/preprocess.py) and the worked
// example. Tolerance 1e-5: float32 percentiles and interpolation.
#include "volume/preprocess.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::volume;
using namespace brain3d::test;

namespace {

/// A volume from an array in (i, j, k) order, as the fixtures and the worked example list it.
Volume from_ijk(const at::Tensor& raw, const Affine& affine) {
  const at::Tensor voxels = raw.permute({2, 1, 0}).contiguous();
  return volume_from_array(voxels.const_data_ptr<float>(), {voxels.size(0), voxels.size(1), voxels.size(2)}, affine);
}

Affine to_affine(const at::Tensor& matrix) {
  const at::Tensor values = matrix.to(at::kDouble).contiguous();
  Affine affine{};
  std::copy_n(values.const_data_ptr<double>(), 16, affine.begin());
  return affine;
}

at::Tensor to_tensor(const Affine& affine) {
  return at::tensor(std::vector<double>(affine.begin(), affine.end()), at::kDouble).view({4, 4});
}

Affine diagonal(double x, double y, double z, double tx, double ty, double tz) {
  return {x, 0, 0, tx, 0, y, 0, ty, 0, 0, z, tz, 0, 0, 0, 1};
}

/// All 48 ways three voxel axes can lie along the patient's, as affines of 1 x 2 x 3 mm voxels.
std::vector<Affine> all_orientations() {
  std::vector<Affine> affines;
  std::array<int, 3> order{0, 1, 2};
  do {
    for (int signs = 0; signs < 8; ++signs) {
      Affine affine{};
      affine[15] = 1;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const double spacing = static_cast<double>(order[axis] + 1);
        affine[static_cast<std::size_t>(4 * order[axis]) + axis] = (signs >> axis & 1) != 0 ? -spacing : spacing;
      }
      affines.push_back(affine);
    }
  } while (std::next_permutation(order.begin(), order.end()));
  return affines;
}

/// The patient's own image: 5 (R) x 4 (A) x 3 (S) voxels of 1 x 2 x 3 mm, every voxel different; a marker at the
/// patient's left, front, top.
constexpr std::array<std::int64_t, 3> kPatientShape{5, 4, 3};
float patient_value(std::array<std::int64_t, 3> ras) {
  if (ras == std::array<std::int64_t, 3>{0, 3, 2}) return 1000;
  return static_cast<float>(ras[0] * 100 + ras[1] * 10 + ras[2]);
}

/// The patient's image as a scanner with these axes stores it.
Volume store(const Affine& orientation) {
  const AxisMap map = nearest_axes(orientation);
  std::array<std::int64_t, 3> shape{};
  for (std::size_t axis = 0; axis < 3; ++axis) shape[axis] = kPatientShape[static_cast<std::size_t>(map.target[axis])];
  at::Tensor raw = at::empty({shape[0], shape[1], shape[2]}, at::kFloat);
  Affine affine = orientation;
  for (std::size_t axis = 0; axis < 3; ++axis) {  // origin: the stored voxel (0, 0, 0) in patient mm
    const auto target = static_cast<std::size_t>(map.target[axis]);
    affine[4 * target + 3] = map.flip[axis] ? static_cast<double>((shape[axis] - 1) * (map.target[axis] + 1)) : 0;
  }
  for (std::int64_t i = 0; i < shape[0]; ++i)
    for (std::int64_t j = 0; j < shape[1]; ++j)
      for (std::int64_t k = 0; k < shape[2]; ++k) {
        const std::array<std::int64_t, 3> index{i, j, k};
        std::array<std::int64_t, 3> ras{};
        for (std::size_t axis = 0; axis < 3; ++axis)
          ras[static_cast<std::size_t>(map.target[axis])] =
              map.flip[axis] ? shape[axis] - 1 - index[axis] : index[axis];
        raw[i][j][k] = patient_value(ras);
      }
  return from_ijk(raw, affine);
}

}  // namespace

TEST_CASE("canonical arrays, affines, percentiles and resized volumes equal nibabel, numpy and torch") {
  const std::string file = "preprocess.safetensors";
  for (const std::string name : {"ras", "lps", "permuted", "oblique", "oblique_permuted", "sheared"}) {
    CAPTURE(name);
    const Volume raw = from_ijk(golden_tensor(file, name + ".raw"), to_affine(golden_tensor(file, name + ".affine")));
    const Volume canonical = canonicalise(raw);
    CHECK(canonical.voxels.equal(golden_tensor(file, name + ".canonical")));
    check_close(to_tensor(canonical.affine), golden_tensor(file, name + ".canonical_affine"), 1e-5);
    const float background = background_level(canonical, nullptr, 1, 99);
    check_close(pad_to_square(canonical, background).voxels, golden_tensor(file, name + ".padded"), 1e-5);
    const CancelFlag never;
    check_close(preprocess(raw, {{8, 16, 16}, 1, 99}, never).voxels, golden_tensor(file, name + ".output"), 1e-5);
  }
}

TEST_CASE("real anatomy equals nibabel, numpy and torch") {
  const CancelFlag never;
  const Volume sample = read_volume(B3D_TEST_ASSETS_DIR "/colin27_t1_2mm.nii.gz", {});
  check_close(preprocess(sample, {{16, 32, 32}, 1, 99}, never).voxels,
              golden_tensor("preprocess.safetensors", "sample.output"), 1e-5);
}

TEST_CASE("preprocessing: the worked example") {
  at::Tensor raw = at::empty({4, 5, 3}, at::kFloat);
  for (std::int64_t i = 0; i < raw.numel(); ++i)
    raw.mutable_data_ptr<float>()[i] = static_cast<float>(100 * spec_u(920, static_cast<std::uint32_t>(i)));
  const Volume canonical = canonicalise(from_ijk(raw, diagonal(-1, -1, 2, 0, 239, 0)));
  CHECK(canonical.voxels.sizes() == at::IntArrayRef({3, 5, 4}));
  check_close(canonical.voxels[0][0], {35.098511, 66.938789, 89.157707, 63.438561}, 1e-5);
  // The example has no padding step, which its unequal sides would need.
  const Volume out = resize(rescale_intensity(canonical, 1, 99), {2, 3, 4});
  check_close(out.voxels, {0.575811, 0.620491, 0.856520, 0.518498, 0.110772, 0.320664, 0.110451, 0.270481,
                           0.667762, 0.407526, 0.408046, 0.428413, 0.674060, 0.532590, 0.530290, 0.394053,
                           0.535682, 0.368720, 0.198888, 0.353112, 0.437972, 0.479388, 0.576968, 0.436176},
              1e-5);
}

TEST_CASE("nearest axes of a sheared affine (section 3.2)") {
  Affine affine{};
  const double rows[3][3] = {{0.1, 0.95, 0.2}, {-0.9, 0.1, 0.1}, {0.1, -0.2, 0.9}};
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 3; ++c) affine[4 * r + c] = rows[r][c];
  affine[15] = 1;
  const AxisMap map = nearest_axes(affine);
  CHECK(map.target == std::array<int, 3>{1, 0, 2});
  CHECK(map.flip == std::array<bool, 3>{true, false, false});
  CHECK(axis_codes(map) == "PRS");
  CHECK(map.oblique_degrees > 5);
}

TEST_CASE("all 48 axis orientations of one patient come out the same, the marker on the patient's left") {
  const std::vector<Affine> orientations = all_orientations();
  REQUIRE(orientations.size() == 48);
  const Volume reference = canonicalise(store(diagonal(1, 2, 3, 0, 0, 0)));
  for (const Affine& orientation : orientations) {
    CAPTURE(axis_codes(nearest_axes(orientation)));
    const Volume canonical = canonicalise(store(orientation));
    CHECK(canonical.voxels.equal(reference.voxels));
    check_close(to_tensor(canonical.affine), to_tensor(reference.affine), 1e-12);
    // D to Superior, H to Anterior, W to Right: top, front, and LOW w for the patient's left.
    CHECK(canonical.voxels[2][3][0].item<float>() == 1000);
  }
}

TEST_CASE("a mirrored image differs; image and affine mirrored together do not") {
  const Volume original = store(diagonal(1, 2, 3, 0, 0, 0));
  Volume mirrored = original;
  mirrored.voxels = original.voxels.flip({2}).contiguous();
  CHECK_FALSE(canonicalise(mirrored).voxels.equal(canonicalise(original).voxels));
  mirrored.affine = diagonal(-1, 2, 3, 4, 0, 0);
  CHECK(canonicalise(mirrored).voxels.equal(canonicalise(original).voxels));
}

TEST_CASE("affines of stated axis codes") {
  const Affine affine = affine_from_codes("LPS", {10, 20, 30}, {1, 2, 3});
  check_close(to_tensor(affine), to_tensor(diagonal(-1, -2, 3, 4.5, 19, -43.5)), 1e-12);
  CHECK(axis_codes(nearest_axes(affine_from_codes("AIL", {3, 4, 5}, {1, 1, 1}))) == "AIL");
  for (const char* bad : {"", "RA", "RRS", "XYZ", "RASL"})
    CHECK_THROWS_AS(affine_from_codes(bad, {3, 4, 5}, {1, 1, 1}), Error);
}

TEST_CASE("padding and resizing keep voxels where they are in the patient") {
  const Volume volume = canonicalise(store(diagonal(1, 2, 3, 0, 0, 0)));
  const Volume padded = pad_to_square(volume, -7);
  CHECK(padded.voxels.sizes() == at::IntArrayRef({3, 5, 5}));
  CHECK(padded.voxels[2][4][0].item<float>() == -7);
  CHECK(padded.voxels[2][3][0].item<float>() == 1000);  // one row added: none before, one behind
  check_close(to_tensor(padded.affine), to_tensor(volume.affine), 1e-12);
  // Twice the size: the first voxel's centre moves outwards by a quarter of an old voxel.
  const Volume doubled = resize(volume, {6, 8, 10});
  check_close(to_tensor(doubled.affine), to_tensor(diagonal(0.5, 1, 1.5, -0.25, -0.5, -0.75)), 1e-12);
}

TEST_CASE("rejects what is no image") {
  const auto volume_of = [](float value) {
    return from_ijk(at::full({4, 4, 4}, value, at::kFloat), diagonal(1, 1, 1, 0, 0, 0));
  };
  CHECK_THROWS_WITH_AS(rescale_intensity(volume_of(7.5F), 1, 99), doctest::Contains("constant"), Error);
  CHECK_THROWS_WITH_AS(rescale_intensity(volume_of(NAN), 1, 99), doctest::Contains("64 of 64"), Error);
  CHECK_THROWS_WITH_AS(rescale_intensity(volume_of(0), 99, 1), doctest::Contains("percentiles"), Error);
  CHECK_THROWS_WITH_AS(nearest_axes(diagonal(1, 0, 1, 0, 0, 0)), doctest::Contains("independent"), Error);
  CHECK_THROWS_AS(nearest_axes(diagonal(NAN, 1, 1, 0, 0, 0)), Error);
}
