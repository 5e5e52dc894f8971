// A shape evaluated on a grid of voxels: on every fourth millimetre exactly, linear in between.
#pragma once

#include <vector>

#include "simulate/shape.h"

namespace brain3d::simulate {

class Displacement {
 public:
  Displacement(const Shape& shape, const std::vector<MassEffect>& mass, const image::Size& size,
               const image::Vector& spacing_mm, const Point& origin_mm);

  /// Calls `visit(d, h, w, place)` for every voxel in order, with the place in the anatomy it comes from.
  template <typename Visit>
  void for_each_voxel(Visit&& visit) const {
    for (std::int64_t d = 0; d < size_[0]; ++d)
      for (std::int64_t h = 0; h < size_[1]; ++h) {
        // One row of the coarse grid, interpolated along D and H, then along W.
        const std::vector<Point> row = coarse_row(d, h);
        for (std::int64_t w = 0; w < size_[2]; ++w) {
          const double at = static_cast<double>(w) / step_[2];
          const auto low = static_cast<std::size_t>(at);
          const double weight = at - static_cast<double>(low);
          const Point &left = row[low], &right = row[low + 1];
          visit(d, h, w,
                Point{left[0] + weight * (right[0] - left[0]), left[1] + weight * (right[1] - left[1]),
                      left[2] + weight * (right[2] - left[2])});
        }
      }
  }

 private:
  std::vector<Point> coarse_row(std::int64_t d, std::int64_t h) const;
  const Point& node(std::int64_t d, std::int64_t h, std::int64_t w) const {
    return nodes_[static_cast<std::size_t>((d * coarse_[1] + h) * coarse_[2] + w)];
  }

  image::Size size_{}, coarse_{};
  image::Vector step_{};  // voxels between nodes
  std::vector<Point> nodes_;
};

}  // namespace brain3d::simulate
