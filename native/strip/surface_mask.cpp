#include "strip/surface_mask.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace brain3d::strip {

namespace {

/// A point of the (H, W) plane, and how far along D.
struct Point {
  double h, w, d;
};

/// Twice the signed area of (a, b, at) in the plane. Both triangles of an edge get the same bits but for the sign,
/// because the ends enter in a fixed order: no column can slip between them or be counted twice.
double side_of(const Point& a, const Point& b, double h, double w) {
  if (std::pair(b.h, b.w) < std::pair(a.h, a.w)) return -side_of(b, a, h, w);
  return (b.h - a.h) * (w - a.w) - (b.w - a.w) * (h - a.h);
}

/// A column exactly on an edge belongs to one of its two triangles: the one for which the edge runs this way.
bool is_inside(double side, const Point& a, const Point& b) {
  return side > 0 || (side == 0 && std::pair(a.h, a.w) < std::pair(b.h, b.w));
}

/// A column of voxels meets a triangle at depth `d` (voxels), going into the mesh (+1) or out of it (-1).
struct Crossing {
  double d;
  int direction;
};

void add_crossings(Point a, Point b, Point c, const image::Size& size, std::vector<std::vector<Crossing>>& columns) {
  const double area = (b.h - a.h) * (c.w - a.w) - (b.w - a.w) * (c.h - a.h);
  if (area == 0) return;
  const int direction = area < 0 ? 1 : -1;  // the outward normal points to low d where the column goes in
  if (area < 0) std::swap(b, c);
  const auto first = [](double x) { return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(x))); };
  const auto last = [](double x, std::int64_t n) {
    return std::min<std::int64_t>(n - 1, static_cast<std::int64_t>(std::floor(x)));
  };
  const std::int64_t end_h = last(std::max({a.h, b.h, c.h}), size[1]), end_w = last(std::max({a.w, b.w, c.w}), size[2]);
  for (std::int64_t row = first(std::min({a.h, b.h, c.h})); row <= end_h; ++row) {
    for (std::int64_t column = first(std::min({a.w, b.w, c.w})); column <= end_w; ++column) {
      const auto h = static_cast<double>(row), w = static_cast<double>(column);
      const double opposite_c = side_of(a, b, h, w), opposite_a = side_of(b, c, h, w), opposite_b = side_of(c, a, h, w);
      if (!is_inside(opposite_c, a, b) || !is_inside(opposite_a, b, c) || !is_inside(opposite_b, c, a)) continue;
      const double d = (opposite_a * a.d + opposite_b * b.d + opposite_c * c.d) / std::abs(area);
      columns[static_cast<std::size_t>(row * size[2] + column)].push_back({d, direction});
    }
  }
}

}  // namespace

image::Image<std::int8_t> winding_numbers(const Mesh& mesh, const image::Size& size, const Vector& spacing_mm) {
  std::vector<std::vector<Crossing>> columns(static_cast<std::size_t>(size[1] * size[2]));
  const auto point = [&](std::int32_t vertex) {
    const Vector& mm = mesh.vertices[static_cast<std::size_t>(vertex)];
    return Point{mm[1] / spacing_mm[1], mm[2] / spacing_mm[2], mm[0] / spacing_mm[0]};
  };
  for (const auto& [a, b, c] : mesh.triangles) add_crossings(point(a), point(b), point(c), size, columns);

  image::Image<std::int8_t> numbers(size, spacing_mm);
  for (std::int64_t h = 0; h < size[1]; ++h) {
    for (std::int64_t w = 0; w < size[2]; ++w) {
      auto& crossings = columns[static_cast<std::size_t>(h * size[2] + w)];
      std::sort(crossings.begin(), crossings.end(), [](const Crossing& a, const Crossing& b) {
        return std::pair(a.d, a.direction) < std::pair(b.d, b.direction);
      });
      int winding = 0;
      for (std::size_t i = 0; i + 1 < crossings.size(); ++i) {
        winding += crossings[i].direction;
        const auto number = static_cast<std::int8_t>(std::clamp(winding, -127, 127));
        const double from = std::clamp(std::ceil(crossings[i].d), 0.0, static_cast<double>(size[0]));
        const double to = std::clamp(std::ceil(crossings[i + 1].d), 0.0, static_cast<double>(size[0]));
        for (auto d = static_cast<std::int64_t>(from); d < static_cast<std::int64_t>(to); ++d)
          numbers(d, h, w) = number;
      }
    }
  }
  return numbers;
}

image::Mask surface_mask(const Mesh& mesh, const image::Size& size, const Vector& spacing_mm) {
  const image::Image<std::int8_t> numbers = winding_numbers(mesh, size, spacing_mm);
  image::Mask mask(size, spacing_mm);
  for (std::size_t i = 0; i < mask.voxels.size(); ++i) mask.voxels[i] = numbers.voxels[i] != 0 ? 1 : 0;
  return mask;
}

}  // namespace brain3d::strip
