#include "image/components.h"

#include <utility>

namespace brain3d::image {

namespace {

/// Calls `visit(index)` for the neighbours of a voxel through its six faces.
template <typename Visit>
void for_each_neighbour(const Size& size, std::size_t index, const Visit& visit) {
  const auto width = static_cast<std::size_t>(size[2]), plane = static_cast<std::size_t>(size[1]) * width;
  const std::size_t w = index % width, h = index / width % static_cast<std::size_t>(size[1]), d = index / plane;
  if (w > 0) visit(index - 1);
  if (w + 1 < width) visit(index + 1);
  if (h > 0) visit(index - width);
  if (h + 1 < static_cast<std::size_t>(size[1])) visit(index + width);
  if (d > 0) visit(index - plane);
  if (d + 1 < static_cast<std::size_t>(size[0])) visit(index + plane);
}

/// All voxels with `value` that are connected with `seed`, which has it, become `mark`. Their indices, in the order
/// they were found, replace what `found` held.
void flood(Mask& mask, std::size_t seed, std::uint8_t value, std::uint8_t mark, LargeVector<std::size_t>& found) {
  found.assign(1, seed);
  mask.voxels[seed] = mark;
  for (std::size_t next = 0; next < found.size(); ++next)
    for_each_neighbour(mask.size, found[next], [&](std::size_t index) {
      if (mask.voxels[index] != value) return;
      mask.voxels[index] = mark;
      found.push_back(index);
    });
}

/// Calls `visit(part)` with the indices of each connected part; it may take them.
template <typename Visit>
void for_each_component(const Mask& mask, const Visit& visit) {
  constexpr std::uint8_t seen = 2;
  Mask rest = mask;
  LargeVector<std::size_t> part;
  for (std::size_t i = 0; i < rest.voxels.size(); ++i) {
    if (rest.voxels[i] != 1) continue;
    flood(rest, i, 1, seen, part);
    visit(part);
  }
}

}  // namespace

std::vector<std::size_t> component_sizes(const Mask& mask) {
  std::vector<std::size_t> sizes;
  for_each_component(mask, [&](const LargeVector<std::size_t>& part) { sizes.push_back(part.size()); });
  return sizes;
}

Mask largest_component(const Mask& mask) {
  LargeVector<std::size_t> largest;
  for_each_component(mask, [&](LargeVector<std::size_t>& part) {
    if (part.size() > largest.size()) std::swap(part, largest);
  });
  Mask out(mask.size, mask.spacing_mm);
  for (const std::size_t index : largest) out.voxels[index] = 1;
  return out;
}

Mask fill_holes(const Mask& mask) {
  constexpr std::uint8_t outside = 2;
  Mask out = mask;
  LargeVector<std::size_t> part;
  const auto [depth, height, width] = mask.size;
  for (std::int64_t d = 0; d < depth; ++d)
    for (std::int64_t h = 0; h < height; ++h)
      for (std::int64_t w = 0; w < width; ++w) {
        const bool at_border = d == 0 || h == 0 || w == 0 || d == depth - 1 || h == height - 1 || w == width - 1;
        if (at_border && out(d, h, w) == 0) flood(out, out.index(d, h, w), 0, outside, part);
      }
  for (std::uint8_t& voxel : out.voxels) voxel = voxel == outside ? 0 : 1;
  return out;
}

}  // namespace brain3d::image
