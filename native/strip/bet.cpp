#include "strip/bet.h"

#include <algorithm>
#include <cmath>

#include "image/vector.h"

namespace brain3d::strip {

using image::operator+, image::operator-, image::operator*;
using image::dot, image::length;

namespace {

// [BET, section 2.5]
constexpr double kMinRadiusMm = 3.33,
                 kMaxRadiusMm = 10;  // radii of curvature: smaller ones are smoothed away, larger ones are kept
constexpr double kMinReachMm = 20, kMaxReachMm = 10;    // how far inside minimum and maximum are looked for
constexpr double kStepMm = 2;                           // a coarse voxel: between them there is nothing new
constexpr double kTangential = 0.5, kIntensity = 0.05;  // weights of the updates u1 and u3

/// Smallest and largest intensity on the way in from a vertex.
struct Extremes {
  float min, max;
};

class Profile {
 public:
  Profile(const image::Image<float>& head, const Levels& levels) : head_(head), levels_(levels) {
    for (std::size_t axis = 0; axis < 3; ++axis) per_mm_[axis] = 1 / head.spacing_mm[axis];
  }

  /// I_min over kMinReachMm, never below t_2 or above t_m; I_max over kMaxReachMm, never below t or above t_m.
  Extremes inward(const Vector& vertex, const Vector& normal) const {
    Extremes out{levels_.median, levels_.head()};
    for (double depth = 0; depth <= kMinReachMm; depth += kStepMm) {
      const float value = at(vertex - normal * depth);
      out.min = std::min(out.min, value);
      if (depth <= kMaxReachMm)
        out.max = std::max(out.max, value);
      else if (out.min <= levels_.low)
        break;  // no deeper voxel changes either
    }
    return {std::max(levels_.low, out.min), std::min(levels_.median, out.max)};
  }

 private:
  /// Beyond the volume lies background, so that the surface ends where a brain is cut off.
  float at(const Vector& mm) const {
    Vector index{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      index[axis] = mm[axis] * per_mm_[axis];
      if (index[axis] < 0 || index[axis] > static_cast<double>(head_.size[axis] - 1)) return levels_.low;
    }
    return image::sample(head_, index[0], index[1], index[2]);
  }

  const image::Image<float>& head_;
  const Levels& levels_;
  Vector per_mm_{};
};

/// f_2: how much of the way to its neighbours' plane a vertex goes, by the curvature there.   [BET, section 2.4]
double smoothness(double normal_distance, double edge) {
  constexpr double middle = (1 / kMinRadiusMm + 1 / kMaxRadiusMm) / 2;
  constexpr double steepness = 6 / (1 / kMinRadiusMm - 1 / kMaxRadiusMm);
  const double curvature = 2 * std::abs(normal_distance) / (edge * edge);
  return (1 + std::tanh(steepness * (curvature - middle))) / 2;
}

/// f_3: outwards (positive) while everything inside is as bright as brain.   [BET, section 2.5]
double outward_force(const Extremes& found, const Levels& levels, double fractional_intensity) {
  const double range = found.max - levels.low;
  if (range <= 0) return 0;
  const double border = range * fractional_intensity + levels.low;
  return 2 * (found.min - border) / range;
}

}  // namespace

Mesh grow_surface(const image::Image<float>& head, const Levels& levels, const Sphere& start,
                  const SurfaceOptions& options, const CancelFlag& cancel) {
  Mesh mesh = icosphere(options.subdivisions);
  for (Vector& vertex : mesh.vertices) vertex = start.centre + vertex * (start.radius_mm / 2);
  const Profile profile(head, levels);
  std::vector<Vector> moved(mesh.vertices.size());
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    if (iteration % 50 == 0) cancel.check();
    const std::vector<Vector> normals = outward_normals(mesh);
    const double edge = mean_edge(mesh);
    for (std::size_t i = 0; i < mesh.vertices.size(); ++i) {
      const Vector& vertex = mesh.vertices[i];
      Vector centre{};
      for (const std::int32_t neighbour : mesh.neighbours[i])
        centre = centre + mesh.vertices[static_cast<std::size_t>(neighbour)];
      const Vector to_centre = centre * (1 / static_cast<double>(mesh.neighbours[i].size())) - vertex;
      const double along_normal = dot(to_centre, normals[i]);
      const Vector tangential = to_centre - normals[i] * along_normal;
      const double smooth = std::min(1.0, options.smoothing * smoothness(along_normal, edge)) * along_normal;
      const double force =
          kIntensity * edge * outward_force(profile.inward(vertex, normals[i]), levels, options.fractional_intensity);
      moved[i] = vertex + tangential * kTangential + normals[i] * (smooth + force);
    }
    mesh.vertices.swap(moved);
  }
  return mesh;
}

}  // namespace brain3d::strip
