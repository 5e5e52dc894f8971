// Stored voxels to scaled floats.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/nifti/header.h"

namespace brain3d::io {

/// Converts `count` voxels of the header's data type and byte order at `raw` (no alignment needed) to
/// float(raw * slope + inter), computed in double and rounded once, and writes them to `out`. Returns false at an
/// integer beyond +-2^53, which a double cannot hold exactly; `out` is then incomplete.
bool convert_voxels(const NiftiHeader& header, const std::byte* raw, std::size_t count, float* out);

}  // namespace brain3d::io
