// A head of nested ellipsoids: scalp, skull, fluid, brain, with a neck; its brain is known exactly.
#pragma once

#include <cmath>
#include <numbers>

#include "image/image.h"
#include "image/vector.h"

namespace brain3d::test {

struct AnalyticHead {
  image::Image<float> image;
  image::Mask brain;
};

/// Numbers in [0, 1), the same on every machine.
class Uniform {
 public:
  explicit Uniform(std::uint64_t seed) : state_(seed) {}
  double operator()() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

 private:
  std::uint64_t state_;
};

/// FLAIR contrast: brain 0.7, fluid 0.1, skull 0.05, scalp 1.1, neck 0.5. `bias` is how far the intensity rises and
/// falls from left to right and from bottom to top; noise is Rician with standard deviation `noise`.
inline AnalyticHead analytic_head(const image::Size& size, const image::Vector& spacing_mm, double bias, double noise,
                                  std::uint64_t seed) {
  AnalyticHead out{image::Image<float>(size, spacing_mm), image::Mask(size, spacing_mm)};
  Uniform uniform(seed);
  const auto gaussian = [&] {
    return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform());
  };
  for (std::int64_t d = 0; d < size[0]; ++d)
    for (std::int64_t h = 0; h < size[1]; ++h)
      for (std::int64_t w = 0; w < size[2]; ++w) {
        // mm from the brain's middle, which lies a little above and in front of the volume's
        image::Vector mm{};
        const image::Size at{d, h, w};
        for (std::size_t axis = 0; axis < 3; ++axis)
          mm[axis] = (static_cast<double>(at[axis]) - 0.5 * static_cast<double>(size[axis] - 1)) * spacing_mm[axis];
        mm[0] -= 15;
        mm[1] -= 4;
        const auto within = [&](double margin) {
          return std::pow(mm[0] / (60 + margin), 2) + std::pow(mm[1] / (80 + margin), 2) +
                     std::pow(mm[2] / (65 + margin), 2) <=
                 1;
        };
        double value = 0;
        if (within(0))
          value = 0.7;
        else if (within(3))
          value = 0.1;
        else if (within(9))
          value = 0.05;
        else if (within(15))
          value = 1.1;
        else if (mm[0] < -50 && std::hypot(mm[1] + 10, mm[2]) < 50)
          value = 0.5;
        value *= 1 + bias * (mm[2] / 80 + mm[0] / 80) / 2;
        out.image(d, h, w) = static_cast<float>(std::hypot(value + noise * gaussian(), noise * gaussian()));
        out.brain(d, h, w) = within(0) ? 1 : 0;
      }
  return out;
}

inline double dice(const image::Mask& a, const image::Mask& b) {
  double both = 0, sum = 0;
  for (std::size_t i = 0; i < a.voxels.size(); ++i) {
    both += a.voxels[i] & b.voxels[i];
    sum += a.voxels[i] + b.voxels[i];
  }
  return 2 * both / sum;
}

}  // namespace brain3d::test
