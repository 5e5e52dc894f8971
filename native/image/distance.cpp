#include "image/distance.h"

#include <limits>

namespace brain3d::image {

namespace {

constexpr float kFar = std::numeric_limits<float>::infinity();

/// min over j of values[j] + (step * (i - j))^2, for every i: the lower envelope of parabolas, in linear time.
/// [DISTANCE]
class Envelope {
 public:
  explicit Envelope(std::size_t length) : roots_(length), borders_(length + 1), out_(length) {}

  const std::vector<double>& of(const std::vector<double>& values, double step) {
    std::size_t count = 0;  // parabolas in the envelope; parabola k holds between borders_[k] and borders_[k + 1]
    for (std::size_t j = 0; j < values.size(); ++j) {
      if (values[j] == kFar) continue;
      double border = -kFar;
      while (count > 0) {
        border = meeting(values, roots_[count - 1], j, step);
        if (border > borders_[count - 1]) break;
        border = -kFar;
        --count;
      }
      roots_[count] = j;
      borders_[count] = border;
      ++count;
    }
    std::size_t k = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (count == 0) {
        out_[i] = kFar;
        continue;
      }
      while (k + 1 < count && borders_[k + 1] < static_cast<double>(i)) ++k;
      const double away = step * (static_cast<double>(i) - static_cast<double>(roots_[k]));
      out_[i] = values[roots_[k]] + away * away;
    }
    return out_;
  }

 private:
  /// The place at which the parabolas of a < b meet.
  static double meeting(const std::vector<double>& values, std::size_t a, std::size_t b, double step) {
    const auto x = static_cast<double>(a), y = static_cast<double>(b);
    return ((values[b] - values[a]) / (step * step) + y * y - x * x) / (2 * (y - x));
  }

  std::vector<std::size_t> roots_;
  std::vector<double> borders_;
  std::vector<double> out_;
};

void along_axis(Image<float>& squares, std::size_t axis) {
  const auto length = static_cast<std::size_t>(squares.size[axis]);
  const std::size_t stride = axis == 2   ? 1
                             : axis == 1 ? static_cast<std::size_t>(squares.size[2])
                                         : static_cast<std::size_t>(squares.size[1] * squares.size[2]);
  Envelope envelope(length);
  std::vector<double> line(length);
  for (std::size_t i = 0; i < squares.voxels.size(); ++i) {
    if (i / stride % length != 0) continue;  // not the first of a line
    for (std::size_t k = 0; k < length; ++k) line[k] = squares.voxels[i + k * stride];
    const std::vector<double>& nearest = envelope.of(line, squares.spacing_mm[axis]);
    for (std::size_t k = 0; k < length; ++k) squares.voxels[i + k * stride] = static_cast<float>(nearest[k]);
  }
}

}  // namespace

Image<float> distance_to(const Mask& mask) {
  Image<float> out(mask.size, mask.spacing_mm, kFar);
  for (std::size_t i = 0; i < mask.voxels.size(); ++i)
    if (mask.voxels[i] != 0) out.voxels[i] = 0;
  for (const std::size_t axis : {std::size_t{2}, std::size_t{1}, std::size_t{0}}) along_axis(out, axis);
  for (float& voxel : out.voxels) voxel = std::sqrt(voxel);
  return out;
}

Mask erode(const Mask& mask, double mm) {
  Mask outside = mask;
  for (std::uint8_t& voxel : outside.voxels) voxel = voxel == 0 ? 1 : 0;
  const Image<float> distance = distance_to(outside);
  Mask out(mask.size, mask.spacing_mm);
  for (std::size_t i = 0; i < out.voxels.size(); ++i) out.voxels[i] = distance.voxels[i] > mm ? 1 : 0;
  return out;
}

Mask dilate(const Mask& mask, double mm) {
  const Image<float> distance = distance_to(mask);
  Mask out(mask.size, mask.spacing_mm);
  for (std::size_t i = 0; i < out.voxels.size(); ++i) out.voxels[i] = distance.voxels[i] <= mm ? 1 : 0;
  return out;
}

}  // namespace brain3d::image
