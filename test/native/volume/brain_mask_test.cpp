// Brain masks of volumes: the mask lies on the volume's own grid, however its axes run.
#include "volume/brain_mask.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "base/error.h"
#include "strip/analytic_head.h"
#include "support/golden.h"
#include "support/paper.h"
#include "volume/preprocess.h"

using namespace brain3d;
using namespace brain3d::volume;

namespace {

double dice(const at::Tensor& a, const at::Tensor& b) {
  return 2 * (a * b).sum().item<double>() / (a.sum().item<double>() + b.sum().item<double>());
}

/// A canonical volume of `image`, centred at the origin.
template <typename T>
Volume canonical_volume(const image::Image<T>& image) {
  const std::vector<float> voxels(image.voxels.begin(), image.voxels.end());
  const auto& s = image.spacing_mm;
  return volume_from_array(voxels.data(), image.size, {s[2], 0, 0, -90, 0, s[1], 0, -100, 0, 0, s[0], -70, 0, 0, 0, 1});
}

/// The same patient with voxel axes (i, j, k) along patient axes `order`, reversed where a bit of `signs` is set.
Volume stored(const Volume& canonical, const std::array<int, 3>& order, int signs) {
  Volume out = canonical;
  Affine affine{};
  affine[15] = 1;
  std::vector<std::int64_t> axes, flipped;
  for (std::size_t row = 0; row < 3; ++row) affine[4 * row + 3] = canonical.affine[4 * row + 3];
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto row = static_cast<std::size_t>(order[axis]);
    const double spacing = canonical.affine[5 * row];
    const bool is_flipped = (signs >> axis & 1) != 0;
    affine[4 * row + axis] = is_flipped ? -spacing : spacing;
    if (is_flipped) {
      affine[4 * row + 3] += spacing * static_cast<double>(canonical.shape_ijk()[row] - 1);
      flipped.push_back(static_cast<std::int64_t>(2 - axis));
    }
  }
  for (int array_axis = 0; array_axis < 3; ++array_axis)
    axes.push_back(2 - order[static_cast<std::size_t>(2 - array_axis)]);
  out.voxels = canonical.voxels.permute(axes).flip(flipped).contiguous();
  out.affine = affine;
  return out;
}

std::string message_of(const std::function<void()>& call, ErrorCode code) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("brain masks: all 48 axis orientations of one head give the same brain, on the volume's own grid") {
  const test::AnalyticHead head = test::analytic_head({56, 60, 52}, {3.5, 3.5, 3.5}, 0.2, 0.03, 3);
  const Volume canonical = canonical_volume(head.image), truth = canonical_volume(head.brain);
  const BrainMask expected = brain_mask(canonical, StripMethod::Auto, CancelFlag{});
  CHECK(expected.method == "bet");
  CHECK(dice(expected.mask.voxels, truth.voxels) > 0.95);
  std::array<int, 3> order{0, 1, 2};
  do {
    for (int signs = 0; signs < 8; ++signs) {
      const Volume volume = stored(canonical, order, signs);
      const at::Tensor there = stored(expected.mask, order, signs).voxels;
      // The search sees the same head, and what it finds comes back to where the volume's voxels are.
      REQUIRE(at::equal(canonicalise(volume).voxels, canonical.voxels));
      CHECK(at::equal(from_canonical(expected.mask.voxels, volume), there));
      if (signs != (order[0] < order[1] ? 3 : 4)) continue;  // the whole way takes a second each: one of each order
      const BrainMask found = brain_mask(volume, StripMethod::Auto, CancelFlag{});
      CHECK(found.mask.affine == volume.affine);
      CHECK(at::equal(found.mask.voxels, there));
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("brain masks: Colin27 with its skull, at 2 mm, against its own brain mask") {
  const Volume head = read_volume(test::golden_path("strip/colin27_head_2mm.nii.gz"), {});
  const Volume brain = read_volume(std::string(B3D_TEST_ASSETS_DIR) + "/colin27_t1_2mm.nii.gz", {});
  const BrainMask found = brain_mask(head, StripMethod::Auto, CancelFlag{});
  CHECK(found.method == "bet");
  CHECK(found.reason.find("more than a brain") != std::string::npos);
  CHECK(found.warnings.empty());
  CHECK(found.volume_ml == doctest::Approx(1750).epsilon(0.1));
  CHECK(dice(found.mask.voxels, brain.voxels.ne(0).to(at::kFloat)) >= 0.95);

  const BrainMask stripped = brain_mask(brain, StripMethod::Auto, CancelFlag{});
  CHECK(stripped.method == "already-stripped");
  CHECK(stripped.warnings.empty());
  CHECK(dice(stripped.mask.voxels, brain.voxels.ne(0).to(at::kFloat)) > 0.99);
}

TEST_CASE("brain masks: a mask darkens what is outside of it, in preprocessing as by itself") {
  const test::AnalyticHead head = test::analytic_head({28, 30, 26}, {7, 7, 7}, 0, 0.02, 1);
  const Volume volume = canonical_volume(head.image);
  PreprocessOptions options = test::paper_preprocessing();
  options.size = {16, 16, 16};
  options.mask = std::make_shared<const Volume>(canonical_volume(head.brain));
  const float background = background_level(volume, options.mask.get(), 1, 99);
  const Volume masked = apply_mask(volume, *options.mask, background);
  CHECK(masked.voxels[0][0][0].item<float>() == background);
  CHECK(at::equal(masked.voxels * options.mask->voxels, volume.voxels * options.mask->voxels));
  // Darker than the brain's darkest percentile by a fifth of its range.
  const at::Tensor brain = volume.voxels.masked_select(options.mask->voxels.ne(0)).to(at::kDouble);
  const double low = brain.quantile(0.01).item<double>(), high = brain.quantile(0.99).item<double>();
  CHECK(background == doctest::Approx(low - 0.2 * (high - low)));
  PreprocessOptions plain = options;
  plain.mask = nullptr;
  CHECK(at::equal(preprocess(volume, options, {}).voxels, preprocess(masked, plain, {}).voxels));

  Volume other = volume;
  other.voxels = at::ones({2, 2, 2});
  CHECK(message_of([&] { background_level(volume, &other, 1, 99); }, ErrorCode::Shape).find("[28, 30, 26]") !=
        std::string::npos);
}

TEST_CASE("brain masks: what a tool wrote must lie on the volume's grid and be a brain") {
  const test::AnalyticHead head = test::analytic_head({56, 60, 52}, {3.5, 3.5, 3.5}, 0, 0.02, 2);
  const Volume volume = stored(canonical_volume(head.image), {1, 2, 0}, 5), truth = canonical_volume(head.brain);
  // A stripped image is as good as a mask, and its axes may run in another order.
  Volume stripped = truth;
  stripped.voxels = truth.voxels * -17;
  const BrainMask found = mask_from_tool(volume, stripped);
  CHECK(found.method == "command");
  CHECK(at::equal(found.mask.voxels, stored(truth, {1, 2, 0}, 5).voxels));
  CHECK(found.volume_ml == doctest::Approx(1307).epsilon(0.02));  // of the ellipsoid

  Volume moved = truth;
  moved.affine[3] += 1;
  CHECK(message_of([&] { mask_from_tool(volume, moved); }, ErrorCode::Shape).find("1 mm away") != std::string::npos);
  Volume cropped = truth;
  cropped.voxels = truth.voxels.narrow(0, 0, 50);
  CHECK(message_of([&] { mask_from_tool(volume, cropped); }, ErrorCode::Shape).find("space of its input") !=
        std::string::npos);
  Volume everything = truth;
  everything.voxels = at::ones_like(truth.voxels);
  Volume holes = stripped;
  holes.voxels = stripped.voxels.clone();
  holes.voxels[0][0][0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(message_of([&] { mask_from_tool(volume, holes); }, ErrorCode::Volume)
            .starts_with("expected finite voxels from the skull-strip command, got 1 of "));
  CHECK(message_of([&] { mask_from_tool(volume, everything); }, ErrorCode::Volume).find("7491 ml") !=
        std::string::npos);
  Volume part = truth;
  part.voxels = truth.voxels.clone();
  part.voxels.narrow(0, 0, 33).zero_();
  const BrainMask little = mask_from_tool(volume, part);
  REQUIRE(little.warnings.size() == 1);
  CHECK(little.warnings[0].find("little for a brain") != std::string::npos);
  Volume cut = volume, cut_truth = stored(truth, {1, 2, 0}, 5);
  cut.voxels = cut.voxels.narrow(0, 26, 26).contiguous();
  cut_truth.voxels = cut_truth.voxels.narrow(0, 26, 26).contiguous();
  const BrainMask half = mask_from_tool(cut, cut_truth);
  CHECK(std::any_of(half.warnings.begin(), half.warnings.end(),
                    [](const std::string& warning) { return warning.find("brainCutOff") == 0; }));
}

TEST_CASE("brain masks: NaN is refused before anything is sorted") {
  Volume volume = canonical_volume(image::Image<float>({20, 20, 20}, {8, 8, 8}, 1));
  volume.voxels[3][3][3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(message_of([&] { brain_mask(volume, StripMethod::Auto, CancelFlag{}); }, ErrorCode::Volume).find("1 of 8000") !=
        std::string::npos);
}
