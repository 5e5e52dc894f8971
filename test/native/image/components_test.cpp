#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "image/box.h"
#include "image/components.h"
#include "image/distance.h"
#include "image/quantile.h"

namespace brain3d::image {
namespace {

Mask from(const Size& size, const std::vector<std::uint8_t>& voxels, const Vector& spacing = {1, 1, 1}) {
  Mask mask(size, spacing);
  mask.voxels.assign(voxels.begin(), voxels.end());
  return mask;
}

TEST_CASE("the largest component is joined through faces only; of equals the first in memory") {
  CHECK(largest_component(from({1, 3, 4}, {1, 0, 1, 1,  //
                                           0, 1, 0, 1,  //
                                           1, 0, 0, 0}))
            .voxels == LargeVector<std::uint8_t>{0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0});
  CHECK(largest_component(from({1, 1, 5}, {1, 1, 0, 1, 1})).voxels == LargeVector<std::uint8_t>{1, 1, 0, 0, 0});
  CHECK(largest_component(from({2, 1, 1}, {1, 1})).voxels == LargeVector<std::uint8_t>{1, 1});
  CHECK(largest_component(from({1, 1, 3}, {0, 0, 0})).voxels == LargeVector<std::uint8_t>{0, 0, 0});
}

TEST_CASE("holes are filled unless a way leads out of them") {
  Mask shell({5, 5, 5}, {1, 1, 1});
  for (std::int64_t d = 1; d < 4; ++d)
    for (std::int64_t h = 1; h < 4; ++h)
      for (std::int64_t w = 1; w < 4; ++w) shell(d, h, w) = 1;
  Mask hollow = shell;
  hollow(2, 2, 2) = 0;
  CHECK(fill_holes(hollow).voxels == shell.voxels);
  Mask open = hollow;
  open(2, 2, 3) = 0;
  CHECK(fill_holes(open).voxels == open.voxels);
}

TEST_CASE("distances are those of a search over all voxels, in mm") {
  Mask mask({7, 6, 9}, {2.5, 1, 0.7});
  for (std::size_t i = 0; i < mask.voxels.size(); ++i) mask.voxels[i] = i % 53 == 7 ? 1 : 0;
  const Image<float> distance = distance_to(mask);
  const auto& s = mask.spacing_mm;
  for (std::int64_t d = 0; d < 7; ++d)
    for (std::int64_t h = 0; h < 6; ++h)
      for (std::int64_t w = 0; w < 9; ++w) {
        double nearest = INFINITY;
        for (std::int64_t e = 0; e < 7; ++e)
          for (std::int64_t g = 0; g < 6; ++g)
            for (std::int64_t v = 0; v < 9; ++v)
              if (mask(e, g, v) != 0)
                nearest = std::min(nearest, std::sqrt(std::pow(s[0] * static_cast<double>(d - e), 2) +
                                                      std::pow(s[1] * static_cast<double>(h - g), 2) +
                                                      std::pow(s[2] * static_cast<double>(w - v), 2)));
        CHECK(distance(d, h, w) == doctest::Approx(nearest));
      }
  for (const float value : distance_to(Mask({2, 2, 2}, {1, 1, 1})).voxels) CHECK(std::isinf(value));
}

TEST_CASE("dilation and erosion go by mm; the border of the array is no outside") {
  Mask point({1, 1, 9}, {1, 1, 2});
  point(0, 0, 4) = 1;
  const Mask grown = dilate(point, 4);
  CHECK(grown.voxels == LargeVector<std::uint8_t>{0, 0, 1, 1, 1, 1, 1, 0, 0});
  CHECK(erode(grown, 4).voxels == LargeVector<std::uint8_t>{0, 0, 0, 0, 1, 0, 0, 0, 0});
  const Mask full({2, 2, 2}, {1, 1, 1}, 1);
  CHECK(erode(full, 3).voxels == full.voxels);
}

TEST_CASE("a box holds its mask, and what is cropped comes back where it was") {
  Mask mask({4, 5, 6}, {1, 1, 1});
  mask(1, 2, 3) = 1;
  mask(2, 2, 5) = 1;
  const Box box = bounding_box(mask, 1);
  CHECK(box.begin == Size{0, 1, 2});
  CHECK(box.end == Size{4, 4, 6});
  CHECK(uncrop(crop(mask, box), box, mask.size).voxels == mask.voxels);
  CHECK(count(bounding_box(Mask({2, 2, 2}, {1, 1, 1}), 1).size()) == 0);
}

TEST_CASE("a quantile is the value of the nearest lower rank") {
  std::vector<float> values{5, 1, 4, 2, 3};
  CHECK(quantile(values, 0) == 1);
  CHECK(quantile(values, 0.5) == 3);
  CHECK(quantile(values, 0.74) == 3);
  CHECK(quantile(values, 1) == 5);
}

}  // namespace
}  // namespace brain3d::image
