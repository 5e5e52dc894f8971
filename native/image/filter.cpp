#include "image/filter.h"

namespace brain3d::image {

namespace {

std::vector<float> gaussian_kernel(double sigma_voxels) {
  const auto radius = static_cast<std::int64_t>(std::ceil(3 * sigma_voxels));
  std::vector<float> kernel(static_cast<std::size_t>(2 * radius + 1));
  double sum = 0;
  for (std::int64_t i = -radius; i <= radius; ++i) {
    const double x = static_cast<double>(i) / sigma_voxels;
    kernel[static_cast<std::size_t>(i + radius)] = static_cast<float>(std::exp(-0.5 * x * x));
    sum += kernel[static_cast<std::size_t>(i + radius)];
  }
  for (float& weight : kernel) weight /= static_cast<float>(sum);
  return kernel;
}

/// out[i] = sum of kernel[k] * in[i + k - radius] along one axis, row by row so that memory is read in order.
void convolve_axis(const Image<float>& in, Image<float>& out, std::size_t axis, const std::vector<float>& kernel) {
  const auto radius = static_cast<std::int64_t>(kernel.size() / 2);
  const auto [depth, height, width] = in.size;
  const std::int64_t length = in.size[axis];
  std::vector<float> padded(static_cast<std::size_t>(width + 2 * radius));
  for (std::int64_t d = 0; d < depth; ++d) {
    for (std::int64_t h = 0; h < height; ++h) {
      float* row = &out(d, h, 0);
      if (axis == 2) {
        const float* source = &in(d, h, 0);
        for (std::int64_t i = 0; i < width + 2 * radius; ++i)
          padded[static_cast<std::size_t>(i)] = source[std::clamp<std::int64_t>(i - radius, 0, width - 1)];
      }
      std::fill(row, row + width, 0.0F);
      for (std::int64_t k = 0; k <= 2 * radius; ++k) {
        const float weight = kernel[static_cast<std::size_t>(k)];
        const float* source = padded.data() + k;
        if (axis != 2) {
          const std::int64_t at = std::clamp<std::int64_t>((axis == 0 ? d : h) + k - radius, 0, length - 1);
          source = axis == 0 ? &in(at, h, 0) : &in(d, at, 0);
        }
        for (std::int64_t w = 0; w < width; ++w) row[w] += weight * source[w];
      }
    }
  }
}

}  // namespace

Image<float> gaussian_blur(const Image<float>& image, const Vector& sigma_mm) {
  Image<float> out = image, scratch;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double sigma = sigma_mm[axis] / image.spacing_mm[axis];
    if (sigma <= 0) continue;
    std::swap(out, scratch);
    if (out.voxels.empty()) out = Image<float>(image.size, image.spacing_mm);
    convolve_axis(scratch, out, axis, gaussian_kernel(sigma));
  }
  return out;
}

Image<float> resample(const Image<float>& image, const Size& size) {
  Vector spacing{}, scale{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    scale[axis] = static_cast<double>(image.size[axis]) / static_cast<double>(size[axis]);
    spacing[axis] = image.spacing_mm[axis] * scale[axis];
  }
  Image<float> out(size, spacing);
  for (std::int64_t d = 0; d < size[0]; ++d)
    for (std::int64_t h = 0; h < size[1]; ++h)
      for (std::int64_t w = 0; w < size[2]; ++w)
        out(d, h, w) =
            sample(image, (static_cast<double>(d) + 0.5) * scale[0] - 0.5,
                   (static_cast<double>(h) + 0.5) * scale[1] - 0.5, (static_cast<double>(w) + 0.5) * scale[2] - 0.5);
  return out;
}

}  // namespace brain3d::image
