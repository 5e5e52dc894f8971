#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "image/vector.h"
#include "strip/bet.h"
#include "strip/icosphere.h"
#include "strip/surface_mask.h"

namespace brain3d::strip {
namespace {

using image::operator+, image::operator-, image::operator*;

double volume_of(const image::Mask& mask) {
  double count = 0;
  for (const std::uint8_t voxel : mask.voxels) count += voxel;
  return count * mask.spacing_mm[0] * mask.spacing_mm[1] * mask.spacing_mm[2];
}

Mesh ellipsoid(int subdivisions, const Vector& centre, const Vector& radii) {
  Mesh mesh = icosphere(subdivisions);
  for (Vector& vertex : mesh.vertices)
    vertex = centre + Vector{vertex[0] * radii[0], vertex[1] * radii[1], vertex[2] * radii[2]};
  return mesh;
}

TEST_CASE("an icosphere is closed, even and round, and its normals point out") {
  const Mesh mesh = icosphere(3);
  CHECK(mesh.vertices.size() == 642);
  CHECK(mesh.triangles.size() == 1280);
  std::set<std::pair<std::int32_t, std::int32_t>> edges;
  for (const auto& [a, b, c] : mesh.triangles)
    for (const auto& edge : {std::pair{a, b}, {b, c}, {c, a}}) CHECK(edges.insert(edge).second);
  for (const auto& [a, b] : edges) CHECK(edges.count({b, a}) == 1);  // the other triangle runs the other way
  std::size_t num_fives = 0;
  for (const auto& neighbours : mesh.neighbours) {
    CHECK((neighbours.size() == 5 || neighbours.size() == 6));
    num_fives += neighbours.size() == 5 ? 1 : 0;
  }
  CHECK(num_fives == 12);
  const auto normals = outward_normals(mesh);
  for (std::size_t i = 0; i < normals.size(); ++i) {
    CHECK(image::length(mesh.vertices[i]) == doctest::Approx(1));
    CHECK(image::dot(normals[i], mesh.vertices[i]) > 0.99);
  }
  CHECK(mean_edge(mesh) == doctest::Approx(0.15).epsilon(0.03));
}

TEST_CASE("the mask of an ellipsoid has its volume, on voxels of any shape") {
  const Vector centre{50, 48, 55}, radii{40, 30, 35};
  const double expected = 4.0 / 3 * std::numbers::pi * radii[0] * radii[1] * radii[2];
  for (const Vector& spacing : {Vector{1, 1, 1}, Vector{5, 1, 1}, Vector{1, 3, 2}}) {
    const image::Size size{static_cast<std::int64_t>(110 / spacing[0]), static_cast<std::int64_t>(100 / spacing[1]),
                           static_cast<std::int64_t>(110 / spacing[2])};
    const image::Mask mask = surface_mask(ellipsoid(4, centre, radii), size, spacing);
    CHECK(volume_of(mask) == doctest::Approx(expected).epsilon(0.02));  // the mesh lies inside of the ellipsoid
    std::size_t wrong = 0;
    for (std::int64_t d = 0; d < size[0]; ++d)
      for (std::int64_t h = 0; h < size[1]; ++h)
        for (std::int64_t w = 0; w < size[2]; ++w) {
          double r = 0;
          const image::Size at{d, h, w};
          for (std::size_t axis = 0; axis < 3; ++axis)
            r += std::pow((static_cast<double>(at[axis]) * spacing[axis] - centre[axis]) / radii[axis], 2);
          if ((r < 0.97 && mask(d, h, w) == 0) || (r > 1.0001 && mask(d, h, w) == 1)) ++wrong;
        }
    CHECK(wrong == 0);
  }
}

TEST_CASE("vertices exactly on voxel centres neither open nor double a column") {
  // An octahedron whose corners and edges all pass through voxel centres.
  Mesh mesh;
  mesh.vertices = {{10, 5, 5}, {0, 5, 5}, {5, 10, 5}, {5, 0, 5}, {5, 5, 10}, {5, 5, 0}};
  mesh.triangles = {{0, 2, 4}, {0, 4, 3}, {0, 3, 5}, {0, 5, 2}, {1, 4, 2}, {1, 3, 4}, {1, 5, 3}, {1, 2, 5}};
  const auto numbers = winding_numbers(mesh, {11, 11, 11}, {1, 1, 1});
  for (std::int64_t d = 0; d < 11; ++d)
    for (std::int64_t h = 0; h < 11; ++h)
      for (std::int64_t w = 0; w < 11; ++w) {
        const std::int64_t away = std::abs(d - 5) + std::abs(h - 5) + std::abs(w - 5);
        if (away < 5) CHECK(numbers(d, h, w) == 1);
        if (away > 5) CHECK(numbers(d, h, w) == 0);
      }
}

TEST_CASE("what lies beyond the volume is cut off, and a mesh turned inside out winds the other way") {
  const Mesh half_outside = ellipsoid(3, {0, 20, 20}, {10, 10, 10});
  const double volume = volume_of(surface_mask(half_outside, {41, 41, 41}, {1, 1, 1}));
  CHECK(volume == doctest::Approx(4.0 / 3 * std::numbers::pi * 1000 / 2).epsilon(0.1));

  Mesh inverted = ellipsoid(3, {20, 20, 20}, {10, 10, 10});
  for (auto& triangle : inverted.triangles) std::swap(triangle[1], triangle[2]);
  CHECK(winding_numbers(inverted, {41, 41, 41}, {1, 1, 1})(20, 20, 20) == -1);
}

TEST_CASE("the surface grows to the border of a bright ball and stops there") {
  image::Image<float> ball({60, 60, 60}, {2, 2, 2}, 10);
  for (std::int64_t d = 0; d < 60; ++d)
    for (std::int64_t h = 0; h < 60; ++h)
      for (std::int64_t w = 0; w < 60; ++w)
        if (std::hypot(2.0 * static_cast<double>(d) - 60, 2.0 * static_cast<double>(h) - 56,
                       2.0 * static_cast<double>(w) - 62) < 40)
          ball(d, h, w) = 100;
  const Mesh mesh = grow_surface(ball, {10, 100, 100}, {{58, 60, 60}, 30}, {0.5, 3, 600, 1}, CancelFlag{});
  const Vector centre{60, 56, 62};
  for (const Vector& vertex : mesh.vertices) CHECK(image::length(vertex - centre) == doctest::Approx(40).epsilon(0.05));

  CancelFlag cancelled;
  cancelled.cancel();
  CHECK_THROWS_AS(grow_surface(ball, {10, 100, 100}, {{58, 60, 60}, 30}, {}, cancelled), Error);
}

}  // namespace
}  // namespace brain3d::strip
