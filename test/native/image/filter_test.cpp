#include <doctest/doctest.h>

#include "image/filter.h"

namespace brain3d::image {
namespace {

TEST_CASE("a Gaussian keeps a constant, spreads a point by its sigma, and leaves axes of sigma 0 alone") {
  const Image<float> constant({5, 6, 7}, {1, 1, 1}, 3);
  for (const float value : gaussian_blur(constant, {2, 2, 2}).voxels) CHECK(value == doctest::Approx(3));

  Image<float> point({1, 41, 41}, {1, 1, 2});
  point(0, 20, 20) = 1;
  const Image<float> blurred = gaussian_blur(point, {0, 3, 4});
  double mass = 0, var_h = 0, var_w = 0;
  for (std::int64_t h = 0; h < 41; ++h)
    for (std::int64_t w = 0; w < 41; ++w) {
      const double value = blurred(0, h, w);
      mass += value;
      var_h += value * static_cast<double>((h - 20) * (h - 20));
      var_w += value * static_cast<double>((w - 20) * (w - 20));
    }
  CHECK(mass == doctest::Approx(1));
  CHECK(var_h == doctest::Approx(9).epsilon(0.05));  // cut at three sigma
  CHECK(var_w == doctest::Approx(4).epsilon(0.05));  // 4 mm are 2 voxels
}

TEST_CASE("sampling is trilinear inside and nearest outside; resampling keeps the field of view") {
  Image<float> ramp({2, 3, 4}, {2, 1, 1});
  for (std::int64_t d = 0; d < 2; ++d)
    for (std::int64_t h = 0; h < 3; ++h)
      for (std::int64_t w = 0; w < 4; ++w) ramp(d, h, w) = static_cast<float>(100 * d + 10 * h + w);
  CHECK(sample(ramp, 0.5, 1.25, 2.5) == doctest::Approx(65));
  CHECK(sample(ramp, -3, -3, 9) == doctest::Approx(3));
  const Image<float> half = resample(ramp, {1, 3, 2});
  CHECK(half.spacing_mm == Vector{4, 1, 2});
  CHECK(half(0, 2, 1) == doctest::Approx(50 + 20 + 2.5));
}

}  // namespace
}  // namespace brain3d::image
