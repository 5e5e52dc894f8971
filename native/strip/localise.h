// Finds roughly where in a head the brain is, from where the deformable surface starts.
#pragma once

#include "image/image.h"
#include "strip/bet.h"

namespace brain3d::strip {

/// The head on voxels of about 2 mm: enough for the surface, whose triangles are larger, and quick. Fine voxels are
/// averaged, which takes most of the noise; thick slices are interpolated.
image::Image<float> coarse_head(const image::Image<float>& head);

/// A sphere about the middle of the brain: below the top of the head by a brain's half height, so that a neck in the
/// field of view does not pull it down, and in the plane where the head's mass is centred.
/// Throws Volume if there is nothing that stands out from the background.
Sphere rough_brain(const image::Image<float>& head);

/// Percentiles and median inside of `sphere`.   [BET, section 2.1] takes the percentiles of the whole volume; near the
/// brain they do not depend on how much neck or air was scanned, nor on fat.
/// Throws Volume if all voxels there are alike.
Levels levels_in(const image::Image<float>& head, const Sphere& sphere);

/// Centre of mass of the mask, and the radius of a ball of its volume. Throws Volume if it is empty.
Sphere equivalent_sphere(const image::Mask& mask);

}  // namespace brain3d::strip
