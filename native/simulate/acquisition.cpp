#include "simulate/acquisition.h"

#include <cmath>

#include "base/error.h"
#include "image/filter.h"

namespace brain3d::simulate {

namespace {

constexpr double kBiasLatticeMm = 90;
constexpr std::int64_t kBiasStep = 8;  // voxels between evaluations; the field is far smoother

/// exp(bias * smooth field), on every eighth voxel, interpolated between.
void apply_bias(image::Image<float>& signal, const Point& origin, const AcquisitionSpec& spec) {
  if (spec.bias <= 0) return;
  const SmoothField field(spec.bias_seed, kBiasLatticeMm);
  const auto coarse = [](std::int64_t n) { return (n - 1) / kBiasStep + 2; };
  image::Image<float> bias({coarse(signal.size[0]), coarse(signal.size[1]), coarse(signal.size[2])}, {1, 1, 1});
  for (std::int64_t d = 0; d < bias.size[0]; ++d)
    for (std::int64_t h = 0; h < bias.size[1]; ++h)
      for (std::int64_t w = 0; w < bias.size[2]; ++w) {
        const auto mm = [&](std::size_t axis, std::int64_t index) {
          return origin[axis] + signal.spacing_mm[2 - axis] * static_cast<double>(index * kBiasStep);
        };
        bias(d, h, w) = static_cast<float>(std::exp(spec.bias * field({mm(0, w), mm(1, h), mm(2, d)})));
      }
  constexpr double kPerVoxel = 1.0 / static_cast<double>(kBiasStep);
  for (std::int64_t d = 0; d < signal.size[0]; ++d)
    for (std::int64_t h = 0; h < signal.size[1]; ++h)
      for (std::int64_t w = 0; w < signal.size[2]; ++w)
        if (float& value = signal(d, h, w); value != 0)
          value *= image::sample(bias, static_cast<double>(d) * kPerVoxel, static_cast<double>(h) * kPerVoxel,
                                 static_cast<double>(w) * kPerVoxel);
}

/// The mean over [from, to) along D, in voxels; the edges' values continue beyond.
std::vector<float> average_planes(const image::Image<float>& signal, double from, double to) {
  const auto plane = static_cast<std::size_t>(signal.size[1] * signal.size[2]);
  std::vector<float> out(plane, 0);
  for (auto d = static_cast<std::int64_t>(std::floor(from)); static_cast<double>(d) < to; ++d) {
    const double overlap = std::min(to, static_cast<double>(d + 1)) - std::max(from, static_cast<double>(d));
    if (overlap <= 0) continue;
    const auto weight = static_cast<float>(overlap / (to - from));
    const float* source = &signal(std::clamp<std::int64_t>(d, 0, signal.size[0] - 1), 0, 0);
    for (std::size_t i = 0; i < plane; ++i) out[i] += weight * source[i];
  }
  return out;
}

void add_rician_noise(std::vector<float>& plane, std::uint64_t seed, double sigma) {
  if (sigma <= 0) return;
  const auto scale = static_cast<float>(sigma);
  for (std::size_t i = 0; i < plane.size(); ++i) {
    const float real = plane[i] + scale * deviate(hash(seed, 2 * i));
    const float imaginary = scale * deviate(hash(seed, 2 * i + 1));
    plane[i] = std::sqrt(real * real + imaginary * imaginary);
  }
}

}  // namespace

image::Image<float> acquire(const image::Image<float>& signal, const Point& origin_mm, const AcquisitionSpec& spec) {
  B3D_CHECK(spec.slice_mm > 0 && spec.slice_mm <= 20, Usage, "expected a slice thickness up to 20 mm, got ",
            spec.slice_mm);
  image::Image<float> sensed = signal;
  apply_bias(sensed, origin_mm, spec);
  sensed = image::gaussian_blur(sensed, {0, spec.blur_mm, spec.blur_mm});

  const double thickness = std::max(1.0, spec.slice_mm / signal.spacing_mm[0]);  // in voxels
  const auto num_slices = std::max<std::int64_t>(2, std::llround(static_cast<double>(signal.size[0]) / thickness));
  const double pitch = static_cast<double>(signal.size[0]) / static_cast<double>(num_slices);
  std::vector<std::vector<float>> slices;
  for (std::int64_t s = 0; s < num_slices; ++s) {
    slices.push_back(average_planes(sensed, pitch * static_cast<double>(s), pitch * static_cast<double>(s + 1)));
    add_rician_noise(slices.back(), hash(spec.noise_seed, static_cast<std::uint64_t>(s)), spec.noise);
  }
  const auto gain = static_cast<float>(spec.gain);
  for (std::int64_t d = 0; d < signal.size[0]; ++d) {
    const double at =
        std::clamp((static_cast<double>(d) + 0.5) / pitch - 0.5, 0.0, static_cast<double>(num_slices - 1));
    const auto below = std::min(static_cast<std::int64_t>(at), num_slices - 2);
    const auto weight = static_cast<float>(at - static_cast<double>(below));
    const auto& low = slices[static_cast<std::size_t>(below)];
    const auto& high = slices[static_cast<std::size_t>(below + 1)];
    float* out = &sensed(d, 0, 0);
    for (std::size_t i = 0; i < low.size(); ++i) out[i] = gain * (low[i] + weight * (high[i] - low[i]));
  }
  return sensed;
}

}  // namespace brain3d::simulate
