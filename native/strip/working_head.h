// The copy of a head that brain extraction works on, and the way back.
#pragma once

#include "image/image.h"

namespace brain3d::strip {

/// `head` with its outliers cut off and its intensities scaled by a power of two to a range near 1, on voxels of about
/// 1 mm if it has very many (image::working_factors). A power of two changes no comparison. A single voxel of any value
/// then neither spreads when the head is smoothed nor makes a difference overflow; and finer voxels than the surface
/// can follow cost a minute and a gigabyte.
image::Image<float> working_head(const image::Image<float>& head);

/// A mask of `working_head(head)` on the voxels of `head`, its surface between voxels interpolated.
image::Mask on_voxels_of(const image::Image<float>& head, const image::Mask& mask);

}  // namespace brain3d::strip
