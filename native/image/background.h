// The value that stands for everything outside of a brain.
#pragma once

#include <algorithm>
#include <limits>

namespace brain3d::image {

/// The distance of the background below the darkest percentile of a brain, as a share of the brain's range, so that
/// fluid and necrosis stay apart from it. In raw scans, where it is 0, this is 0.01 to 0.33 (13 published FLAIRs,
/// median 0.065); in the simulated ones that models/tiny has learned from, 0.12 to 0.48 (median 0.23).
inline constexpr double kBackgroundMargin = 0.2;

/// The intensity that stands for everything outside of a brain, from the lower and upper percentile of its voxels.
/// Nothing outside has a say in it: a voxel of air, a resampling tool's undershoot or a fill value would otherwise move
/// the percentiles by which the brain is scaled. It follows an affine scaling of the intensities, and is finite.
inline float background_level(double low, double high) {
  const double level = low - kBackgroundMargin * (high - low);
  return static_cast<float>(std::max(level, static_cast<double>(std::numeric_limits<float>::lowest())));
}

}  // namespace brain3d::image
