#include "volume/reorient.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "support/golden.h"
#include "volume/preprocess.h"

namespace brain3d::volume {
namespace {

TEST_CASE("a volume stored in any of the 48 orders says so, and comes back the same") {
  Volume canonical;
  canonical.voxels = test::spec_gen(77, {3, 4, 5});
  canonical.affine = {2, 0, 0, -4, 0, 1.5, 0, 7, 0, 0, 3, -1, 0, 0, 0, 1};
  int orders = 0;
  const std::string pairs[3] = {"LR", "PA", "IS"};
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b)
      for (int flips = 0; a != b && flips < 8; ++flips) {
        const int c = 3 - a - b;
        const std::string codes{pairs[a][flips & 1], pairs[b][(flips >> 1) & 1], pairs[c][(flips >> 2) & 1]};
        CAPTURE(codes);
        const Volume stored = reorient(canonical, codes);
        CHECK(axis_codes(nearest_axes(stored.affine)) == codes);
        const Volume back = canonicalise(stored);
        CHECK(at::equal(back.voxels, canonical.voxels));
        CHECK(back.affine == canonical.affine);
        ++orders;
      }
  CHECK(orders == 48);
  CHECK_THROWS_WITH_AS(reorient(reorient(canonical, "LPS"), "RAS"), doctest::Contains("got LPS"), Error);
}

}  // namespace
}  // namespace brain3d::volume
