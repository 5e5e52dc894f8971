// A preprocessed volume must not depend on these things, over random heads: voxels outside of the brain, an affine
// scaling of intensities, padding, the value of the background.
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "base/error.h"
#include "strip/analytic_head.h"
#include "support/golden.h"
#include "volume/brain_mask.h"
#include "volume/preprocess.h"

using namespace brain3d;
using namespace brain3d::volume;
using test::AnalyticHead, test::analytic_head, test::Uniform;

namespace {

constexpr int kRounds = 12;
constexpr std::array<std::int64_t, 3> kSize{16, 32, 32};

struct Head {
  Volume volume;
  std::shared_ptr<const Volume> mask;
};

template <typename T>
Volume to_volume(const image::Image<T>& image) {
  const std::vector<float> voxels(image.voxels.begin(), image.voxels.end());
  const auto& s = image.spacing_mm;
  return volume_from_array(voxels.data(), image.size, {s[2], 0, 0, -90, 0, s[1], 0, -99, 0, 0, s[0], -70, 0, 0, 0, 1});
}

/// A head of another size each time, seldom square in plane.
Head random_head(Uniform& uniform, std::uint64_t seed) {
  const auto side = [&] { return static_cast<std::int64_t>(38 + std::floor(14 * uniform())); };
  const image::Size size{side(), side(), side()};
  const image::Vector spacing{200.0 / static_cast<double>(size[0]), 210.0 / static_cast<double>(size[1]),
                              190.0 / static_cast<double>(size[2])};
  const AnalyticHead head = analytic_head(size, spacing, 0.3 * uniform(), 0.05 * uniform(), seed);
  return {to_volume(head.image), std::make_shared<const Volume>(to_volume(head.brain))};
}

/// The brain alone, in `background`.
Volume stripped(const Head& head, double background) {
  Volume out = head.volume;
  out.voxels = at::where(head.mask->voxels.ne(0), out.voxels, background).to(at::kFloat);
  return out;
}

at::Tensor preprocessed(const Volume& volume, std::shared_ptr<const Volume> mask) {
  return preprocess(volume, {kSize, 1, 99, std::move(mask)}, {}).voxels;
}

/// Preprocesses as a report does: the brain is looked for, then kept alone.
at::Tensor found_and_preprocessed(const Volume& volume, StripMethod method = StripMethod::Auto) {
  const Volume mask = brain_mask(volume, method, {}).mask;
  return preprocessed(volume, mask.voxels.defined() ? std::make_shared<const Volume>(mask) : nullptr);
}

double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("properties: voxels outside of the mask have no say, whatever their values") {
  Uniform uniform(1);
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const Head head = random_head(uniform, static_cast<std::uint64_t>(round));
    const at::Tensor expected = preprocessed(head.volume, head.mask);
    CHECK(expected.max().item<double>() > 0.9);
    for (const double extreme : {-1e-3, -150.0, -1000.0, -32768.0, 3e4, -3e38, 3e38}) {
      Volume other = head.volume;
      const at::Tensor noise = at::full_like(other.voxels, extreme * uniform());
      other.voxels = at::where(head.mask->voxels.ne(0), other.voxels, noise).to(at::kFloat);
      CHECK(at::equal(preprocessed(other, head.mask), expected));
    }
  }
}

TEST_CASE("properties: one voxel outside of the brain, however dark or bright, changes neither brain nor picture") {
  Uniform uniform(2);
  // The search takes a second each: every extreme in one head.
  const std::array<std::array<float, 2>, 2> extremes{{{-150.0F, 32767.0F}, {-32768.0F, -3e38F}}};
  for (std::size_t round = 0; round < extremes.size(); ++round) {
    CAPTURE(round);
    const Head head = random_head(uniform, 20 + round);
    for (const Volume& volume : {head.volume, stripped(head, 0)}) {
      const BrainMask expected = brain_mask(volume, StripMethod::Auto, {});
      for (const float extreme : extremes.at(round)) {
        Volume other = volume;
        other.voxels = volume.voxels.clone();
        other.voxels[0][0][0] = extreme;
        const BrainMask found = brain_mask(other, StripMethod::Auto, {});
        CHECK(found.method == expected.method);
        CHECK(at::equal(found.mask.voxels, expected.mask.voxels));
      }
    }
  }
}

TEST_CASE("properties: voxels that are wrong, anywhere outside of the brain, hardly move its surface") {
  Uniform uniform(8);
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    const Head head = random_head(uniform, static_cast<std::uint64_t>(30 + round));
    const at::Tensor expected = brain_mask(head.volume, StripMethod::Auto, {}).mask.voxels;
    Volume other = head.volume;
    other.voxels = head.volume.voxels.clone();
    const at::Tensor outside = head.mask->voxels.eq(0).nonzero();
    for (int count = 0; count < 20; ++count) {
      const auto place = static_cast<std::int64_t>(uniform() * static_cast<double>(outside.size(0)));
      const at::Tensor at = outside[place];
      other.voxels[at[0].item<std::int64_t>()][at[1].item<std::int64_t>()][at[2].item<std::int64_t>()] =
          (count % 2 == 0 ? -1 : 1) * 32768.0F;
    }
    const at::Tensor found = brain_mask(other, StripMethod::Auto, {}).mask.voxels;
    CHECK(found.ne(expected).sum().item<double>() < 0.02 * expected.sum().item<double>());
  }
}

TEST_CASE("properties: an affine scaling of intensities changes nothing, with a mask and without, square or not") {
  Uniform uniform(3);
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const Head head = random_head(uniform, static_cast<std::uint64_t>(40 + round));
    const double scale = std::pow(10, 6 * uniform() - 3), shift = scale * (40 * uniform() - 20);
    const auto scaled = [&](const Volume& volume) {
      Volume out = volume;
      out.voxels = volume.voxels.to(at::kDouble).mul(scale).add(shift).to(at::kFloat);
      return out;
    };
    // A shift of twenty times the range costs float32 five bits.
    CHECK(difference(preprocessed(scaled(head.volume), head.mask), preprocessed(head.volume, head.mask)) < 1e-4);
    CHECK(difference(preprocessed(scaled(head.volume), nullptr), preprocessed(head.volume, nullptr)) < 1e-4);
    const Volume brain = stripped(head, 0);
    for (const StripMethod method : {StripMethod::Auto, StripMethod::None})
      CHECK(difference(found_and_preprocessed(scaled(brain), method), found_and_preprocessed(brain, method)) < 1e-4);
  }
}

TEST_CASE("properties: the brain of a head is found in whatever units its intensities are") {
  Uniform uniform(4);
  for (int round = 0; round < 2; ++round) {
    CAPTURE(round);
    const Head head = random_head(uniform, static_cast<std::uint64_t>(60 + round));
    const at::Tensor expected = brain_mask(head.volume, StripMethod::Auto, {}).mask.voxels;
    Volume other = head.volume;
    other.voxels = head.volume.voxels.mul(4096).sub(512);
    const at::Tensor found = brain_mask(other, StripMethod::Auto, {}).mask.voxels;
    CHECK(found.ne(expected).sum().item<double>() < 1e-3 * expected.sum().item<double>());
    other.voxels = head.volume.voxels.mul(0x1p120);
    CHECK(at::equal(brain_mask(other, StripMethod::Auto, {}).mask.voxels, expected));
  }
}

TEST_CASE("properties: the brain of a head is found beside a fill value around what was scanned") {
  Uniform uniform(7);
  std::uint64_t seed = 70;
  for (const double fill : {-32768.0, -2.0, 9.0}) {
    CAPTURE(fill);
    const Head head = random_head(uniform, seed++);
    const at::Tensor expected = brain_mask(head.volume, StripMethod::Auto, {}).mask.voxels;
    Volume other = head.volume;
    other.voxels = at::full_like(head.volume.voxels, fill);
    const auto inner = [](at::Tensor voxels) {
      for (std::int64_t axis = 0; axis < 3; ++axis) voxels = voxels.narrow(axis, 1, voxels.size(axis) - 2);
      return voxels;
    };
    inner(other.voxels).copy_(inner(head.volume.voxels));
    const at::Tensor found = brain_mask(other, StripMethod::Auto, {}).mask.voxels;
    CHECK(found.ne(expected).sum().item<double>() < 0.02 * expected.sum().item<double>());
  }
}

TEST_CASE("properties: a stripped brain is the same in any background, and in paddings around it") {
  Uniform uniform(5);
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    Head head = random_head(uniform, static_cast<std::uint64_t>(80 + round));
    head.volume.voxels = head.volume.voxels.mul(8).sub(5.6);  // 0 is then in the middle of the brain, as in z-scores
    const at::Tensor expected = preprocessed(head.volume, head.mask);
    for (const double background : {-1000.0, -5.0, 0.0, 3.0, 1e6})
      for (const StripMethod method : {StripMethod::Auto, StripMethod::None}) {
        CAPTURE(background);
        // `None` takes a background as it is that may be a scanner's.
        if (method == StripMethod::None && background == -5.0) continue;
        const Volume brain = stripped(head, background);
        CHECK(difference(found_and_preprocessed(brain, method), expected) < 1e-6);
        // To a square, by another value than the background's.
        const Volume square = pad_to_square(brain, static_cast<float>(100 + 50 * uniform()));
        CHECK(difference(found_and_preprocessed(square, method), expected) < 1e-6);
      }
  }
}

TEST_CASE("properties: a brain in its mask equals nibabel, numpy and torch") {
  const Volume sample = read_volume(B3D_TEST_ASSETS_DIR "/colin27_t1_2mm.nii.gz", {});
  Volume mask = sample;
  mask.voxels = sample.voxels.ne(0).to(at::kFloat);
  test::check_close(preprocess(sample, {kSize, 1, 99, std::make_shared<const Volume>(mask)}, {}).voxels,
                    test::golden_tensor("preprocess.safetensors", "sample.masked_output"), 1e-5);
}

TEST_CASE("properties: a finite volume stays finite, though its range is beyond float32") {
  Uniform uniform(6);
  const Head head = random_head(uniform, 100);
  Volume wide = head.volume;
  wide.voxels = head.volume.voxels.sub(0.6).mul(2.5e38);
  REQUIRE(at::isfinite(wide.voxels).all().item<bool>());
  for (const auto& mask : {head.mask, std::shared_ptr<const Volume>()}) {
    const at::Tensor out = preprocessed(wide, mask);
    CHECK(difference(out, preprocessed(head.volume, mask)) < 1e-5);
  }
}

TEST_CASE("properties: what is constant is refused, square or not, in a mask or without") {
  for (const std::int64_t width : {40, 52}) {
    image::Image<float> flat({40, 40, width}, {5, 5, 4}, 7);
    const Volume volume = to_volume(flat);
    CHECK_THROWS_WITH_AS(preprocessed(volume, nullptr), doctest::Contains("constant"), Error);
    image::Mask mask({40, 40, width}, {5, 5, 4});
    for (std::int64_t d = 10; d < 30; ++d) mask(d, 20, 20) = 1;
    const auto brain = std::make_shared<const Volume>(to_volume(mask));
    CHECK_THROWS_WITH_AS(preprocessed(volume, brain), doctest::Contains("constant"), Error);
    CHECK_THROWS_WITH_AS(preprocessed(*brain, brain), doctest::Contains("constant"), Error);
    const auto nothing = std::make_shared<const Volume>(to_volume(image::Mask({40, 40, width}, {5, 5, 4})));
    CHECK_THROWS_WITH_AS(preprocessed(volume, nothing), doctest::Contains("without a voxel"), Error);
  }
}
