#include "simulate/displacement.h"

namespace brain3d::simulate {

namespace {
constexpr double kNodeMm = 4;
}  // namespace

Displacement::Displacement(const Shape& shape, const std::vector<MassEffect>& mass, const image::Size& size,
                           const image::Vector& spacing_mm, const Point& origin_mm)
    : size_(size) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    step_[axis] = kNodeMm / spacing_mm[axis];
    coarse_[axis] = static_cast<std::int64_t>(static_cast<double>(size[axis] - 1) / step_[axis]) + 2;
  }
  nodes_.reserve(image::count(coarse_));
  for (std::int64_t d = 0; d < coarse_[0]; ++d)
    for (std::int64_t h = 0; h < coarse_[1]; ++h)
      for (std::int64_t w = 0; w < coarse_[2]; ++w)
        nodes_.push_back(shape.to_anatomy(
            {origin_mm[0] + kNodeMm * static_cast<double>(w), origin_mm[1] + kNodeMm * static_cast<double>(h),
             origin_mm[2] + kNodeMm * static_cast<double>(d)},
            mass));
}

std::vector<Point> Displacement::coarse_row(std::int64_t d, std::int64_t h) const {
  const double at_d = static_cast<double>(d) / step_[0], at_h = static_cast<double>(h) / step_[1];
  const auto low_d = static_cast<std::int64_t>(at_d), low_h = static_cast<std::int64_t>(at_h);
  const double weight_d = at_d - static_cast<double>(low_d), weight_h = at_h - static_cast<double>(low_h);
  std::vector<Point> row(static_cast<std::size_t>(coarse_[2]));
  for (std::int64_t w = 0; w < coarse_[2]; ++w)
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const auto along_h = [&](std::int64_t plane) {
        const double near = node(plane, low_h, w)[axis];
        return near + weight_h * (node(plane, low_h + 1, w)[axis] - near);
      };
      const double lower = along_h(low_d);
      row[static_cast<std::size_t>(w)][axis] = lower + weight_d * (along_h(low_d + 1) - lower);
    }
  return row;
}

}  // namespace brain3d::simulate
