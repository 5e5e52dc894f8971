// Finds the values that fill a volume outside of what was imaged or kept.
#pragma once

#include "base/large_memory.h"
#include "image/image.h"

namespace brain3d::strip {

struct Background {
  /// There are none where the background has noise, and several where a volume was padded with another value than the
  /// one around its brain.
  LargeVector<float> values;
  image::Mask foreground;  // voxels that have none of these values; no voxels at all if there are no values
};

/// A value is background if nearly all of an outermost plane has it, of the volume or of what is left without such
/// planes; or if half of the outermost voxels of what is left have it: a tight field of view cuts the brain there.
Background find_background(const image::Image<float>& volume);

/// True if the background may be as a scanner leaves it: with noise, or darker than the darkest percentile of the rest,
/// by no more than the range of the rest. One that is not was set by a later step, a normalisation inside of the brain
/// or a fill value, and would spoil the range of the picture. True as well if the rest
/// is nothing or all alike.
bool is_scanners(const Background& background, const image::Image<float>& volume);

/// image::background_level of the voxels in `foreground`, of which there must be one.
float dark_level(const image::Image<float>& volume, const image::Mask& foreground);

/// Sets all outside of `foreground` to `level`: what was there may be brighter than the brain.
void darken(image::Image<float>& volume, const image::Mask& foreground, float level);

}  // namespace brain3d::strip
