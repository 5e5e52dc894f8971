#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "strip/analytic_head.h"
#include "strip/brain.h"
#include "strip/detect.h"

namespace brain3d::strip {
namespace {

using test::analytic_head, test::AnalyticHead, test::dice;

image::Image<float> inside(const AnalyticHead& head) {
  image::Image<float> out = head.image;
  for (std::size_t i = 0; i < out.voxels.size(); ++i) out.voxels[i] *= head.brain.voxels[i];
  return out;
}

Detection detection_of(const image::Image<float>& volume) { return detect_stripped(volume, find_background(volume)); }

TEST_CASE("the brain of an analytic head is found through noise, a bias field and thick slices") {
  const struct {
    image::Size size;
    image::Vector spacing;
    double bias, noise;
  } cases[] = {
      {{96, 104, 90}, {2, 2, 2}, 0, 0.01},
      {{96, 104, 90}, {2, 2, 2}, 0.3, 0.05},
      {{38, 140, 120}, {5, 1.5, 1.5}, 0.2, 0.03},
  };
  std::uint64_t seed = 0;
  for (const auto& [size, spacing, bias, noise] : cases) {
    const AnalyticHead head = analytic_head(size, spacing, bias, noise, ++seed);
    const image::Mask found = extract_brain(head.image, {}, CancelFlag{});
    CAPTURE(seed);
    CHECK(dice(found, head.brain) > 0.95);
    // Same input, same mask.
    if (seed == 1) CHECK(extract_brain(head.image, {}, CancelFlag{}).voxels == found.voxels);
  }
}

TEST_CASE("a smaller fractional intensity gives a larger brain") {
  const AnalyticHead head = analytic_head({80, 84, 76}, {2.4, 2.4, 2.4}, 0, 0.03, 9);
  const auto count = [&](double fraction) {
    const image::Mask mask = extract_brain(head.image, {fraction}, CancelFlag{});
    return std::count(mask.voxels.begin(), mask.voxels.end(), 1);
  };
  CHECK(count(0.3) > count(0.7));
}

TEST_CASE("no brain is an error, and a cancelled search ends") {
  const image::Image<float> empty({40, 40, 40}, {4, 4, 4}, 7);
  try {
    extract_brain(empty, {}, CancelFlag{});
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::Volume);
    CHECK(std::string(error.what()).find("nothing stands out") != std::string::npos);
  }
  CancelFlag cancelled;
  cancelled.cancel();
  CHECK_THROWS_AS(extract_brain(analytic_head({48, 52, 45}, {4, 4, 4}, 0, 0, 1).image, {}, cancelled), Error);
}

TEST_CASE("a stripped brain is told from a head, also from one whose background is zero") {
  const AnalyticHead head = analytic_head({96, 104, 90}, {2, 2, 2}, 0.2, 0.03, 4);
  const Detection noisy = detection_of(head.image);
  CHECK_FALSE(noisy.is_stripped);
  CHECK(noisy.reason.find("noise") != std::string::npos);

  const Detection stripped = detection_of(inside(head));
  CHECK(stripped.is_stripped);
  CHECK(stripped.foreground.voxels == head.brain.voxels);
  CHECK(stripped.reason.find("no skull") != std::string::npos);

  // Any background value will do, if it is the same everywhere.
  image::Image<float> shifted = inside(head);
  for (float& voxel : shifted.voxels) voxel -= 3;
  CHECK(detection_of(shifted).is_stripped);

  image::Image<float> zeroed = analytic_head({96, 104, 90}, {2, 2, 2}, 0, 0, 0).image;
  CHECK_FALSE(detection_of(zeroed).is_stripped);
  CHECK(detection_of(zeroed).reason.find("more than a brain") != std::string::npos);

  // A child's head, small enough for a brain: only the shell tells.
  zeroed.spacing_mm = {1.6, 1.6, 1.6};
  const Detection small = detection_of(zeroed);
  CHECK_FALSE(small.is_stripped);
  CHECK(small.reason.find("dark shell") != std::string::npos);

  CHECK_FALSE(detection_of(image::Image<float>({30, 30, 30}, {4, 4, 4}, 5)).is_stripped);
}

}  // namespace
}  // namespace brain3d::strip
