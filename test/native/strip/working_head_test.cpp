// The copy of a head that brain extraction works on: blocks of a fine grid, and the way back to its voxels.
#include "strip/working_head.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "image/shrink.h"

namespace brain3d::strip {
namespace {

/// More than 256^3 voxels of half a millimetre in plane, sides odd and even; 0 but for a ball of `value`.
image::Image<float> fine_ball(float value) {
  image::Image<float> out({258, 257, 260}, {0.5, 0.5, 0.4});
  for (std::int64_t d = 0; d < out.size[0]; ++d)
    for (std::int64_t h = 0; h < out.size[1]; ++h)
      for (std::int64_t w = 0; w < out.size[2]; ++w) {
        const double mm = std::hypot(0.5 * static_cast<double>(d - 120), 0.5 * static_cast<double>(h - 130),
                                     0.4 * static_cast<double>(w - 140));
        if (mm < 40) out(d, h, w) = value;
      }
  return out;
}

TEST_CASE("block means are those of the blocks, the last of which may be smaller") {
  const image::Image<float> means =
      image::block_means({2, 3, 5}, {1, 1, 0.5}, {1, 2, 2}, [](std::size_t index) { return index; });
  CHECK(means.size == image::Size{2, 2, 3});
  CHECK(means.spacing_mm == image::Vector{1, 2, 1});
  // Rows of five: 0..4, 5..9, 10..14.
  CHECK(means(0, 0, 0) == 3);     // 0 1 5 6
  CHECK(means(0, 0, 2) == 6.5F);  // 4 9
  CHECK(means(0, 1, 0) == 10.5F);
  CHECK(means(0, 1, 2) == 14);
  CHECK(means(1, 1, 2) == 29);
  const image::Image<float> same =
      image::block_means({2, 3, 5}, {1, 1, 0.5}, {1, 1, 1}, [](std::size_t index) { return index; });
  CHECK(same.voxels[17] == 17);
}

TEST_CASE("only very many voxels are put together, to about a millimetre") {
  CHECK(image::working_factors({256, 256, 256}, {0.2, 0.2, 0.2}) == image::Size{1, 1, 1});
  CHECK(image::working_factors({258, 257, 260}, {0.5, 0.5, 0.4}) == image::Size{2, 2, 2});
  CHECK(image::working_factors({512, 512, 200}, {0.33, 0.45, 1.2}) == image::Size{3, 2, 1});
  CHECK(image::working_factors({300, 300, 300}, {1, 0.9, 0.5}) == image::Size{1, 1, 2});
}

TEST_CASE("a fine head is worked on in blocks, its outliers cut off, and a mask comes back to where it was") {
  image::Image<float> head = fine_ball(1000);
  head(0, 0, 0) = -32768;
  const image::Image<float> work = working_head(head);
  CHECK(work.size == image::Size{129, 129, 130});
  const auto [lowest, highest] = std::minmax_element(work.voxels.begin(), work.voxels.end());
  CHECK(*lowest == 0);
  CHECK(*highest > 1);
  CHECK(*highest < 2);

  image::Mask mask(work.size, work.spacing_mm);
  for (std::size_t i = 0; i < mask.voxels.size(); ++i) mask.voxels[i] = work.voxels[i] > *highest / 2 ? 1 : 0;
  const image::Mask back = on_voxels_of(head, mask);
  REQUIRE(back.size == head.size);
  double differing = 0, ball = 0;
  for (std::size_t i = 0; i < back.voxels.size(); ++i) {
    const bool is_ball = head.voxels[i] > 0;
    ball += is_ball ? 1 : 0;
    differing += is_ball != (back.voxels[i] != 0) ? 1 : 0;
  }
  CHECK(differing < 0.02 * ball);  // half a block off would be 0.02 along one axis
}

TEST_CASE("a head of fewer voxels keeps them, scaled by a power of two") {
  image::Image<float> head({20, 20, 20}, {0.5, 0.5, 0.5});
  for (std::size_t i = 0; i < head.voxels.size(); ++i) head.voxels[i] = static_cast<float>(i % 1000);
  const image::Image<float> work = working_head(head);
  REQUIRE(work.size == head.size);
  const float scale = work.voxels[500] / head.voxels[500];
  CHECK(scale == 1.0F / 512);
  CHECK(work.voxels[700] == head.voxels[700] * scale);
  CHECK(on_voxels_of(head, image::Mask(head.size, head.spacing_mm, 1)).voxels.size() == head.voxels.size());
}

}  // namespace
}  // namespace brain3d::strip
