// Distances in mm, and what can be made of them: masks grown and shrunk.
#pragma once

#include "image/image.h"

namespace brain3d::image {

/// The distance of each voxel's centre from the nearest voxel of the mask; 0 in the mask, infinite everywhere if it is
/// empty.
Image<float> distance_to(const Mask& mask);

/// Voxels of the mask whose centre lies more than `mm` from every voxel outside of it; the array's border is no
/// outside.
Mask erode(const Mask& mask, double mm);

/// Voxels whose centre lies within `mm` of a voxel of the mask.
Mask dilate(const Mask& mask, double mm);

}  // namespace brain3d::image
