// Brain extraction: from a head to the mask of its brain. T1 and FLAIR contrast: tissue bright, fluid and bone dark.
#pragma once

#include "base/cancel.h"
#include "image/image.h"

namespace brain3d::strip {

struct BrainOptions {
  double fractional_intensity = 0.5;  // b_t of [BET], 0 to 1: smaller gives a larger brain
};

/// BET's surface from a rough and then from a better start, smoothed more where it folds through itself, then trimmed
/// to the tissue. `volume` is a canonical head, finite, with any spacing; the mask lies on its voxels.
/// Throws Volume if no brain is found, Cancelled.
image::Mask extract_brain(const image::Image<float>& volume, const BrainOptions& options, const CancelFlag& cancel);

}  // namespace brain3d::strip
