#include <cmath>

#include "io/nifti/nifti.h"
#include "memory_file.h"

namespace brain3d::fuzz {

bool fuzz_nifti(Input input) {
  const MemoryFile file(input);
  // Small, so that an input which only makes the reader fill memory does not hide others.
  const io::NiftiOptions options{.volume_index = input.size() % 2 == 0 ? -1 : 0, .max_voxels = 1 << 20};
  io::NiftiImage image;
  if (!accepts([&] { image = io::read_nifti(file.path(), options); })) return false;
  require(image.voxels.size() == static_cast<std::size_t>(image.shape[0] * image.shape[1] * image.shape[2]),
          "as many voxels as the shape says");
  for (const double value : image.affine) require(std::isfinite(value), "a finite affine");
  io::NiftiImage header;
  require(accepts([&] { header = io::read_nifti_header(file.path(), options); }),
          "a volume that reads has a header that reads");
  require(header.shape == image.shape && header.affine == image.affine, "header and volume agree");
  return true;
}

}  // namespace brain3d::fuzz
