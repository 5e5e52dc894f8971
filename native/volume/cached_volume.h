// Preprocessed volumes on disk, as training reads them: one float16 tensor in a safetensors file, mapped when opened.
#pragma once

#include <string>

#include "volume/volume.h"

namespace brain3d::volume {

/// Writes `volume`, whose voxels lie in [0, 1], as the tensor `volume` (D, H, W) in float16, atomically. Its affine is
/// not in the file. Throws Volume for voxels outside of [0, 1], Io if the system refuses.
void write_cached_volume(const Volume& volume, const std::string& path);

/// The voxels (D, H, W) of a file that `write_cached_volume` wrote, as float32. Throws NotFound and Io as io::File
/// does, Format if the file holds anything else or values outside of [0, 1].
at::Tensor read_cached_voxels(const std::string& path);

}  // namespace brain3d::volume
