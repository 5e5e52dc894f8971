// Turns a closed surface into the voxels inside it.
#pragma once

#include "image/image.h"
#include "strip/icosphere.h"

namespace brain3d::strip {

/// The number of times that the mesh winds around each voxel's centre, on a grid of `size` voxels of `spacing_mm`: 0
/// outside, 1 inside, anything else where the mesh folds through itself. Parts of the mesh beyond the grid are cut off.
image::Image<std::int8_t> winding_numbers(const Mesh& mesh, const image::Size& size, const Vector& spacing_mm);

/// Voxels that the mesh winds around: what any fold encloses is inside.
image::Mask surface_mask(const Mesh& mesh, const image::Size& size, const Vector& spacing_mm);

}  // namespace brain3d::strip
