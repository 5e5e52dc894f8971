// Connected parts of masks, and the cavities in them. Voxels are connected through their faces.
#pragma once

#include "image/image.h"

namespace brain3d::image {

/// The largest connected part; of equally large ones the first in memory. Empty if the mask is.
Mask largest_component(const Mask& mask);

/// The number of voxels of each connected part, in the order of the parts' first voxels in memory.
std::vector<std::size_t> component_sizes(const Mask& mask);

/// The mask with every cavity filled that no path outside of the mask leads out of, to the border of the array.
Mask fill_holes(const Mask& mask);

}  // namespace brain3d::image
