// A closed triangle mesh and the sphere it begins as.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image/image.h"

namespace brain3d::strip {

using image::Vector;

struct Mesh {
  std::vector<Vector> vertices;  // mm along (D, H, W) from the centre of voxel (0, 0, 0)
  /// Indices of vertices; every triangle is wound the same way seen from outside, so that `outward_normals` point out.
  std::vector<std::array<std::int32_t, 3>> triangles;
  std::vector<std::vector<std::int32_t>> neighbours;  // the neighbours of each vertex, ascending
};

/// An icosahedron whose faces were split in four `subdivisions` times, on the unit sphere: 10 * 4^n + 2 vertices.
Mesh icosphere(int subdivisions);

/// Unit normals of the vertices, by the area of the triangles around them; they point out of the mesh.
std::vector<Vector> outward_normals(const Mesh& mesh);

/// Mean length of the edges in mm.
double mean_edge(const Mesh& mesh);

}  // namespace brain3d::strip
