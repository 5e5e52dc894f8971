#include <doctest/doctest.h>

#include "simulate/shared_anatomy.h"
#include "simulate/subject.h"

namespace brain3d::simulate {
namespace {

SubjectSpec small_spec() {
  SubjectSpec spec;
  spec.size = {78, 120, 120};
  spec.spacing_mm = 2;
  spec.shape = {{0.95, 0.97, 0.93}, {3, -4, 5}, {2, -3, 1}, 2, 7, -0.5};
  spec.acquisition.noise_seed = 3;
  spec.acquisition.bias_seed = 4;
  spec.strip_seed = 5;
  return spec;
}

TumourSpec left_temporal() {
  TumourSpec tumour;
  tumour.foci = {{Region::Temporal, Side::Left, 3, 18}};
  tumour.edema_ml = 30;
  tumour.seed = 8;
  return tumour;
}

double total(const Truth& truth, std::size_t half) {
  double sum = 0;
  for (const auto& region : truth.volume_mm3)
    for (const double volume : region[half]) sum += volume;
  return sum;
}

TEST_CASE("smooth fields have mean 0 and deviation 1 and depend on seed and place alone") {
  const SmoothField field(11, 20), again(11, 20), other(12, 20);
  double sum = 0, squares = 0;
  int n = 0;
  for (double x = -190; x < 190; x += 7)
    for (double y = -190; y < 190; y += 7)
      for (double z = -190; z < 190; z += 21, ++n) {
        const double value = field({x, y, z});
        sum += value;
        squares += value * value;
      }
  CHECK(sum / n == doctest::Approx(0).epsilon(0.06).scale(1));
  CHECK(squares / n == doctest::Approx(1).epsilon(0.1));
  CHECK(field({3, 4, 5}) == again({3, 4, 5}));
  CHECK(field({3, 4, 5}) != other({3, 4, 5}));
  CHECK(field({3, 4, 5}) == doctest::Approx(field({3.01, 4, 5})).epsilon(0.01));
}

TEST_CASE("a shape's inverse leads back, with and without mass effect") {
  const Shape shape(anatomy(), small_spec().shape);
  const std::vector<MassEffect> mass{{{-35, 20, 20}, 17, 8, 5, -1}};
  for (const Point& place : {Point{-40, 30, 25}, Point{0, 8, 14}, Point{25, -60, 40}}) {
    for (const auto& effects : {std::vector<MassEffect>{}, mass}) {
      const Point back = shape.to_anatomy(shape.from_anatomy(place, effects), effects);
      for (std::size_t axis = 0; axis < 3; ++axis)
        CHECK(back[axis] == doctest::Approx(place[axis]).epsilon(0.06).scale(1));
    }
  }
}

TEST_CASE("mass effect pushes the midline away and empties the nearer ventricle more") {
  SubjectSpec spec = small_spec();
  spec.tumour = left_temporal();
  spec.tumour.push_mm = 8;
  spec.tumour.squeeze_mm = 9;
  const Truth truth = simulate_subject(anatomy(), spec, CancelFlag()).truth;
  CHECK(truth.midline_shift_mm > 1);
  const auto loss = [&](std::size_t half) { return 1 - truth.ventricle_mm3[half] / truth.ventricle_before_mm3[half]; };
  CHECK(loss(0) > 0.15);
  CHECK(loss(0) > 1.5 * loss(1));
  CHECK(total(truth, 0) > 30000);
  CHECK(total(truth, 1) == 0);
  CHECK(truth.reach_mm[0] > 40);
  REQUIRE(!truth.cores_mm3.empty());
  CHECK(truth.cores_mm3.front() > 15000);
}

TEST_CASE("without mass effect, a lesion changes nothing but itself: noise, bias, shape and stripping are the same") {
  SubjectSpec spec = small_spec();
  spec.acquisition.slice_mm = 2;
  spec.acquisition.blur_mm = 0;
  const Subject healthy = simulate_subject(anatomy(), spec, CancelFlag());
  spec.tumour = left_temporal();
  spec.tumour.push_mm = spec.tumour.squeeze_mm = 0;
  const Subject patient = simulate_subject(anatomy(), spec, CancelFlag());
  CHECK(patient.brain.voxels == healthy.brain.voxels);
  std::size_t changed_outside = 0, changed_inside = 0, lesion = 0;
  for (std::size_t i = 0; i < healthy.flair.voxels.size(); ++i) {
    const bool changed = healthy.flair.voxels[i] != patient.flair.voxels[i];
    if (patient.segmentation.voxels[i] != 0) ++lesion;
    (patient.segmentation.voxels[i] == 0 ? changed_outside : changed_inside) += changed ? 1 : 0;
  }
  CHECK(changed_inside > 0.99 * static_cast<double>(lesion));
  // The faded outermost rim is outside of the mask.
  CHECK(changed_outside < 0.1 * static_cast<double>(lesion));
}

TEST_CASE("FLAIR contrast: CSF below white below grey matter below edema; nothing outside of the brain") {
  SubjectSpec spec = small_spec();
  spec.acquisition.noise = 0;
  spec.acquisition.bias = 0;
  spec.tumour = left_temporal();
  const Subject subject = simulate_subject(anatomy(), spec, CancelFlag());
  double edema = 0, brain = 0, outside = 0;
  std::size_t edema_voxels = 0, brain_voxels = 0;
  for (std::size_t i = 0; i < subject.flair.voxels.size(); ++i) {
    const double value = subject.flair.voxels[i];
    if (subject.segmentation.voxels[i] == 2) {
      edema += value;
      ++edema_voxels;
    } else if (subject.brain.voxels[i] != 0 && subject.segmentation.voxels[i] == 0) {
      brain += value;
      ++brain_voxels;
    } else if (subject.brain.voxels[i] == 0) {
      outside = std::max(outside, value > 0 ? 1.0 : 0.0);
    }
  }
  CHECK(edema / static_cast<double>(edema_voxels) > 1.3 * brain / static_cast<double>(brain_voxels));
  spec.strip_roughness = 0;
  const Subject exact = simulate_subject(anatomy(), spec, CancelFlag());
  for (std::size_t i = 0; i < exact.flair.voxels.size(); ++i)
    if (exact.brain.voxels[i] == 0) CHECK(exact.flair.voxels[i] == 0);
}

TEST_CASE("acquisition: thick slices average, noise is Rician, the scale is the gain") {
  image::Image<float> step({12, 4, 4}, {1, 1, 1});
  for (std::int64_t d = 6; d < 12; ++d)
    for (std::int64_t i = 0; i < 16; ++i) step(d, i / 4, i % 4) = 1;
  AcquisitionSpec spec;
  spec.bias = spec.noise = spec.blur_mm = 0;
  spec.gain = 100;
  CHECK(acquire(step, {}, spec)(7, 1, 1) == doctest::Approx(100));
  spec.slice_mm = 4;  // planes 0-3, 4-7 and 8-11: the middle slice is half and half
  const image::Image<float> thick = acquire(step, {}, spec);
  CHECK(thick(0, 1, 1) == doctest::Approx(0));
  CHECK(thick(5, 1, 1) + thick(6, 1, 1) == doctest::Approx(100));
  CHECK(thick(11, 1, 1) == doctest::Approx(100));

  image::Image<float> empty({8, 64, 64}, {1, 1, 1});
  spec = AcquisitionSpec{};
  spec.bias = 0;
  spec.noise = 0.1;
  spec.gain = 1;
  double sum = 0;
  const image::Image<float> noise = acquire(empty, {}, spec);
  for (const float value : noise.voxels) sum += value;
  // The mean of a Rayleigh distribution: sigma * sqrt(pi / 2).
  CHECK(sum / static_cast<double>(noise.voxels.size()) == doctest::Approx(0.12533).epsilon(0.01));
}

TEST_CASE("the same specification gives the same bytes; cancellation stops it; sizes are checked") {
  const SubjectSpec spec = small_spec();
  const Subject first = simulate_subject(anatomy(), spec, CancelFlag());
  CHECK(first.flair.voxels == simulate_subject(anatomy(), spec, CancelFlag()).flair.voxels);
  CancelFlag cancelled;
  cancelled.cancel();
  CHECK_THROWS_AS(simulate_subject(anatomy(), spec, cancelled), Error);
  SubjectSpec bad = spec;
  bad.size = {4, 120, 120};
  CHECK_THROWS_WITH_AS(simulate_subject(anatomy(), bad, CancelFlag()), doctest::Contains("16 to 512 voxels, got 4"),
                       Error);
}

}  // namespace
}  // namespace brain3d::simulate
