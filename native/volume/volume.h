// A 3D image with its place in the patient.
#pragma once

#include <string>
#include <vector>

#include "device/torch.h"
#include "io/nifti/nifti.h"
#include "volume/orientation.h"

namespace brain3d::volume {

struct Volume {
  /// (D, H, W) float32 on the CPU: array axes (k, j, i) of the stored NIfTI order, so that i runs fastest. After
  /// `canonicalise`, D runs to Superior, H to Anterior, W to the patient's Right.
  at::Tensor voxels;
  Affine affine{};            // (i, j, k) = (w, h, d) to RAS+ mm
  std::string affine_source;  // "sform", "qform", "stated" or "array"
  std::string datatype;       // as stored
  std::vector<std::string> warnings;

  std::array<std::int64_t, 3> shape_ijk() const { return {voxels.size(2), voxels.size(1), voxels.size(0)}; }
};

struct ReadOptions {
  std::int64_t volume_index = -1;     // the index in a 4D file; -1 if not given
  std::string orientation;            // axis codes for a file whose affine says nothing
  std::string prefer_affine;          // "sform" or "qform" where they disagree
  bool override_orientation = false;  // `orientation` holds whatever the file says: for one that is known to lie
  const CancelFlag* cancel = nullptr;
};

/// Reads a .nii or .nii.gz. Throws Orientation if the file does not say how it lies in the patient and `orientation` is
/// not given, or if it says something else than `orientation` and `override_orientation` is not set.
Volume read_volume(const std::string& path, const ReadOptions& options);

/// The same without voxels: `voxels` is an empty tensor of the right sizes (meta device).
Volume read_volume_header(const std::string& path, const ReadOptions& options);

/// A copy of `voxels` (D, H, W row-major) with a stated affine.
Volume volume_from_array(const float* voxels, const std::array<std::int64_t, 3>& shape_dhw, const Affine& affine);

/// Writes NIfTI-1 with the volume's affine; gzipped if the name ends in .gz. Integers are rounded and must fit.
void write_volume(const Volume& volume, const std::string& path, io::StoredAs stored_as = io::StoredAs::Float32,
                  const CancelFlag* cancel = nullptr);

}  // namespace brain3d::volume
