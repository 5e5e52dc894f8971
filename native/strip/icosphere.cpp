#include "strip/icosphere.h"

#include <algorithm>
#include <map>
#include <numbers>
#include <utility>

#include "image/vector.h"

namespace brain3d::strip {

// Vector is a std::array: its operators are not found by its own namespace.
using image::operator+, image::operator-, image::operator*;
using image::cross, image::dot, image::length;

namespace {

Vector on_sphere(const Vector& a) { return a * (1 / length(a)); }

Mesh icosahedron() {
  constexpr double g = std::numbers::phi;
  Mesh mesh;
  mesh.vertices = {{-1, g, 0},  {1, g, 0},  {-1, -g, 0}, {1, -g, 0}, {0, -1, g},  {0, 1, g},
                   {0, -1, -g}, {0, 1, -g}, {g, 0, -1},  {g, 0, 1},  {-g, 0, -1}, {-g, 0, 1}};
  mesh.triangles = {{0, 11, 5},  {0, 5, 1},  {0, 1, 7},  {0, 7, 10}, {0, 10, 11}, {1, 5, 9}, {5, 11, 4},
                    {11, 10, 2}, {10, 7, 6}, {7, 1, 8},  {3, 9, 4},  {3, 4, 2},   {3, 2, 6}, {3, 6, 8},
                    {3, 8, 9},   {4, 9, 5},  {2, 4, 11}, {6, 2, 10}, {8, 6, 7},   {9, 8, 1}};
  for (Vector& vertex : mesh.vertices) vertex = on_sphere(vertex);
  return mesh;
}

/// Each triangle becomes four; the new vertices are the midpoints of edges, pushed out to the sphere.
void subdivide(Mesh& mesh) {
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> midpoints;
  const auto midpoint = [&](std::int32_t a, std::int32_t b) {
    const auto [at, is_new] = midpoints.try_emplace(std::minmax(a, b), static_cast<std::int32_t>(mesh.vertices.size()));
    if (is_new)
      mesh.vertices.push_back(
          on_sphere(mesh.vertices[static_cast<std::size_t>(a)] + mesh.vertices[static_cast<std::size_t>(b)]));
    return at->second;
  };
  std::vector<std::array<std::int32_t, 3>> finer;
  finer.reserve(4 * mesh.triangles.size());
  for (const auto& [a, b, c] : mesh.triangles) {
    const std::int32_t ab = midpoint(a, b), bc = midpoint(b, c), ca = midpoint(c, a);
    finer.insert(finer.end(), {{a, ab, ca}, {b, bc, ab}, {c, ca, bc}, {ab, bc, ca}});
  }
  mesh.triangles = std::move(finer);
}

}  // namespace

Mesh icosphere(int subdivisions) {
  Mesh mesh = icosahedron();
  for (int i = 0; i < subdivisions; ++i) subdivide(mesh);
  mesh.neighbours.resize(mesh.vertices.size());
  // Each edge belongs to two triangles, which run along it in opposite directions.
  for (const auto& [a, b, c] : mesh.triangles)
    for (const auto& [from, to] : {std::pair{a, b}, {b, c}, {c, a}})
      mesh.neighbours[static_cast<std::size_t>(from)].push_back(to);
  for (auto& list : mesh.neighbours) std::sort(list.begin(), list.end());
  return mesh;
}

std::vector<Vector> outward_normals(const Mesh& mesh) {
  std::vector<Vector> normals(mesh.vertices.size());
  for (const auto& triangle : mesh.triangles) {
    const auto& [a, b, c] = triangle;
    const Vector& origin = mesh.vertices[static_cast<std::size_t>(a)];
    const Vector area =
        cross(mesh.vertices[static_cast<std::size_t>(b)] - origin, mesh.vertices[static_cast<std::size_t>(c)] - origin);
    for (const std::int32_t vertex : triangle) {
      Vector& normal = normals[static_cast<std::size_t>(vertex)];
      normal = normal + area;
    }
  }
  for (Vector& normal : normals) {
    const double size = length(normal);
    if (size > 0) normal = normal * (1 / size);
  }
  return normals;
}

double mean_edge(const Mesh& mesh) {
  double sum = 0;
  std::size_t num_edges = 0;
  for (std::size_t i = 0; i < mesh.vertices.size(); ++i) {
    for (const std::int32_t j : mesh.neighbours[i])
      sum += length(mesh.vertices[static_cast<std::size_t>(j)] - mesh.vertices[i]);
    num_edges += mesh.neighbours[i].size();
  }
  return sum / static_cast<double>(num_edges);
}

}  // namespace brain3d::strip
