#include "simulate/growth.h"

#include <limits>
#include <queue>

namespace brain3d::simulate {

namespace {

struct Step {
  std::int64_t d, h, w;
  double length;
};

std::vector<Step> neighbour_steps() {
  std::vector<Step> steps;
  for (std::int64_t d = -1; d <= 1; ++d)
    for (std::int64_t h = -1; h <= 1; ++h)
      for (std::int64_t w = -1; w <= 1; ++w)
        if (d != 0 || h != 0 || w != 0)
          steps.push_back({d, h, w, std::sqrt(static_cast<double>(d * d + h * h + w * w))});
  return steps;
}

class Terrain {
 public:
  Terrain(const Anatomy& anatomy, const Speeds& speeds) : anatomy_(anatomy), speeds_(speeds) {}

  /// 0 is a wall.
  double speed(std::size_t voxel, double x_mm) const {
    const std::uint8_t code = anatomy_.coarse_codes.voxels[voxel];
    const Region region = anatomy_.region(code);
    if (code == 0 || region == Region::LateralVentricle) return 0;
    const Tissue tissue = anatomy_.tissue(code);
    const bool is_bridge = tissue == Tissue::White || region == Region::Brainstem || region == Region::Cerebellum;
    if (x_mm == 0 && !is_bridge) return 0;
    if (tissue == Tissue::White) return speeds_.white;
    return tissue == Tissue::Grey ? speeds_.grey : speeds_.csf;
  }

  bool has_tentorium(std::size_t from, std::size_t to) const {
    const Region a = anatomy_.region(anatomy_.coarse_codes.voxels[from]);
    const Region b = anatomy_.region(anatomy_.coarse_codes.voxels[to]);
    return (a == Region::Cerebellum && b != Region::Cerebellum && b != Region::Brainstem) ||
           (b == Region::Cerebellum && a != Region::Cerebellum && a != Region::Brainstem);
  }

 private:
  const Anatomy& anatomy_;
  Speeds speeds_;
};

}  // namespace

Front spread(const Anatomy& anatomy, const std::vector<std::size_t>& sources, const Speeds& speeds, double volume_mm3,
             double roughness, double texture_mm, std::uint64_t seed) {
  constexpr float kNever = std::numeric_limits<float>::infinity();
  static const std::vector<Step> kSteps = neighbour_steps();
  const Frame& grid = anatomy.coarse;
  const Terrain terrain(anatomy, speeds);
  const SmoothField texture(seed, texture_mm), detail(hash(seed, 1), texture_mm / 2.5);
  image::Image<float> arrival(grid.size, {2, 2, 2}, kNever);
  LargeVector<float> slowness(arrival.voxels.size(), -1);
  const auto slowness_of = [&](std::size_t voxel, std::int64_t d, std::int64_t h, std::int64_t w) {
    if (slowness[voxel] < 0) {
      const Point place = grid.place_of(d, h, w);
      const double speed = terrain.speed(voxel, place[0]);
      const double rough = roughness * (texture(place) + 0.5 * detail(place));
      slowness[voxel] = speed > 0 ? static_cast<float>(std::exp(rough) / speed) : kNever;
    }
    return slowness[voxel];
  };

  // Dijkstra. Ties are broken by index, so that the order is one and the same everywhere.
  using Entry = std::pair<float, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  for (const std::size_t source : sources) {
    arrival.voxels[source] = 0;
    open.push({0, source});
  }
  const double voxel_mm3 = grid.spacing_mm * grid.spacing_mm * grid.spacing_mm;
  // Further than asked for, so that the front has a slope on its outer side too.
  const double enough = std::max(volume_mm3 * 1.8, volume_mm3 + 60 * voxel_mm3);
  double volume = 0, reached = 0;
  float at_volume = 0;
  while (!open.empty() && volume < enough) {
    const auto [time, voxel] = open.top();
    open.pop();
    if (time > arrival.voxels[voxel]) continue;
    volume += voxel_mm3;
    if (volume <= volume_mm3) {
      at_volume = time;
      reached = volume;
    }
    const auto w = static_cast<std::int64_t>(voxel) % grid.size[2];
    const auto h = static_cast<std::int64_t>(voxel) / grid.size[2] % grid.size[1];
    const auto d = static_cast<std::int64_t>(voxel) / (grid.size[2] * grid.size[1]);
    for (const Step& step : kSteps) {
      if (!arrival.contains(d + step.d, h + step.h, w + step.w)) continue;
      const std::size_t next = arrival.index(d + step.d, h + step.h, w + step.w);
      const float slow = slowness_of(next, d + step.d, h + step.h, w + step.w);
      if (slow == kNever || terrain.has_tentorium(voxel, next)) continue;
      const float later = time + static_cast<float>(step.length) * 0.5F * (slow + slowness_of(voxel, d, h, w));
      if (later < arrival.voxels[next]) {
        arrival.voxels[next] = later;
        open.push({later, next});
      }
    }
  }
  const float scale = at_volume > 0 ? 1 / at_volume : 1;
  for (float& value : arrival.voxels) value = std::min(value * scale, Front::kBeyond);
  return {std::move(arrival), reached};
}

}  // namespace brain3d::simulate
