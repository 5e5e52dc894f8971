#include <doctest/doctest.h>

#include "base/error.h"
#include "simulate/growth.h"
#include "simulate/shared_anatomy.h"
#include "simulate/tumour.h"

namespace brain3d::simulate {
namespace {

std::size_t coarse_voxel(const Point& place) {
  const image::Vector index = anatomy().coarse.index_of(place);
  return anatomy().coarse_codes.index(std::lround(index[0]), std::lround(index[1]), std::lround(index[2]));
}

struct Halves {
  double left = 0, right = 0;
};

Halves volumes(const image::Image<float>& arrival) {
  Halves out;
  const Frame& grid = anatomy().coarse;
  for (std::int64_t d = 0; d < grid.size[0]; ++d)
    for (std::int64_t h = 0; h < grid.size[1]; ++h)
      for (std::int64_t w = 0; w < grid.size[2]; ++w)
        if (arrival(d, h, w) <= 1) (grid.place_of(d, h, w)[0] < 0 ? out.left : out.right) += 8;
  return out;
}

TEST_CASE("the anatomy's regions lie where anatomy has them: left of the midline at negative x") {
  CHECK(anatomy().region(anatomy().code_at({-30, 40, 20})) == Region::Frontal);
  CHECK(anatomy().region(anatomy().code_at({30, -60, 45})) == Region::Parietal);
  CHECK(anatomy().region(anatomy().code_at({-50, -20, -15})) == Region::Temporal);
  CHECK(anatomy().region(anatomy().code_at({20, -90, 5})) == Region::Occipital);
  CHECK(anatomy().region(anatomy().code_at({0, -25, -30})) == Region::Brainstem);
  CHECK(anatomy().region(anatomy().code_at({0, 24, 8})) == Region::CorpusCallosum);
  CHECK(anatomy().code_at({0, 0, 200}) == 0);
  CHECK(region_from_name("basal_ganglia") == Region::BasalGanglia);
  CHECK_THROWS_WITH_AS(region_from_name("heart"), doctest::Contains("got 'heart'"), Error);
}

TEST_CASE("a front has exactly the volume asked for") {
  const Front front = spread(anatomy(), {coarse_voxel({32, 30, 24})}, {0.35, 0.8, 1}, 20000, 0.28, 11, 5);
  CHECK(front.volume_mm3 == doctest::Approx(20000).epsilon(0.001));
  const Halves halves = volumes(front.arrival);
  CHECK(halves.left + halves.right == doctest::Approx(20000).epsilon(0.001));
}

TEST_CASE("edema follows white matter: grey matter beside it is reached later") {
  const Front front = spread(anatomy(), {coarse_voxel({30, 10, 34})}, {0.05, 0.14, 1}, 30000, 0, 14, 5);
  double white = 0, grey = 0;
  for (std::size_t i = 0; i < front.arrival.voxels.size(); ++i) {
    if (front.arrival.voxels[i] > 1) continue;
    const Tissue tissue = anatomy().tissue(anatomy().coarse_codes.voxels[i]);
    (tissue == Tissue::White ? white : grey) += 1;
  }
  CHECK(white > 2 * grey);
}

TEST_CASE("falx, tentorium and ventricles are walls; the corpus callosum is the way across") {
  // From the medial parietal cortex: the other hemisphere is 10 mm away, but only around through the callosum.
  const Front medial = spread(anatomy(), {coarse_voxel({8, -60, 50})}, {0.35, 0.8, 1}, 15000, 0, 11, 5);
  CHECK(volumes(medial.arrival).left < 0.02 * 15000);
  const Front across = spread(anatomy(), {coarse_voxel({0, 24, 8})}, {0.35, 0.8, 1}, 20000, 0, 11, 5);
  CHECK(std::min(volumes(across.arrival).left, volumes(across.arrival).right) > 0.3 * 20000);
  const Front above = spread(anatomy(), {coarse_voxel({20, -80, -2})}, {0.35, 0.8, 1}, 40000, 0, 11, 5);
  for (std::size_t i = 0; i < above.arrival.voxels.size(); ++i) {
    if (above.arrival.voxels[i] > 1) continue;
    const Region region = anatomy().region(anatomy().coarse_codes.voxels[i]);
    CHECK(region != Region::Cerebellum);
    CHECK(region != Region::LateralVentricle);
  }
}

TEST_CASE("a tumour: necrosis within the core, at any share short of its rim; edema around it") {
  for (const double share : {0.0, 0.2, 0.6, 1.0}) {
    CAPTURE(share);
    TumourSpec spec;
    spec.foci = {{Region::Frontal, Side::Left, 9, 20}};
    spec.edema_ml = 25;
    spec.necrosis_share = share;
    const Tumour tumour = grow_tumour(anatomy(), spec);
    double core = 0, necrosis = 0, edema = 0;
    for (std::size_t i = 0; i < tumour.core.voxels.size(); ++i) {
      const bool in_core = tumour.core.voxels[i] <= 1;
      if (tumour.necrosis.voxels[i] <= 1) {
        CHECK(in_core);
        necrosis += 8;
      }
      if (in_core) core += 8;
      if (!in_core && tumour.edema.voxels[i] <= 1) edema += 8;
    }
    CHECK(core == doctest::Approx(20000).epsilon(0.01));
    CHECK(edema == doctest::Approx(25000).epsilon(0.01));
    if (share <= 0.6) CHECK(necrosis == doctest::Approx(share * core).epsilon(0.05));
    CHECK(necrosis < 0.9 * core);
    CHECK(tumour.foci.front().centre_mm[0] < -12);
  }
}

TEST_CASE("a lesion that has no place to begin is refused by name") {
  TumourSpec spec;
  spec.foci = {{Region::LateralVentricle, Side::Left, 1, 5}};
  CHECK_THROWS_WITH_AS(grow_tumour(anatomy(), spec), doctest::Contains("got lateral_ventricle on side -1"), Error);
}

}  // namespace
}  // namespace brain3d::simulate
