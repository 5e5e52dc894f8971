// The seeded generator gives the published numbers; lib/dataset/rng.ts gives the same ones (dataset-split.test.ts).
#include "base/rng.h"

#include <doctest/doctest.h>

using brain3d::SplitMix64;

TEST_CASE("splitmix64 gives the published numbers") {
  SplitMix64 random(1234567);
  CHECK(random.next() == 6457827717110365317ULL);
  CHECK(random.next() == 3203168211198807973ULL);
  CHECK(random.next() == 9817491932198370423ULL);
  CHECK(SplitMix64(1234567).uniform() == static_cast<double>(6457827717110365317ULL >> 11) / 0x1p53);
}
