#include <cstring>
#include <vector>

#include "io/gzip.h"
#include "io/nifti/nifti.h"
#include "memory_file.h"

namespace brain3d::fuzz {

bool fuzz_nifti_gz(Input input) {
  const MemoryFile packed(input);
  const io::NiftiOptions options{.volume_index = 0, .max_voxels = 1 << 20};
  io::NiftiImage image;
  if (!accepts([&] { image = io::read_nifti(packed.path(), options); }) || !image.compressed) return false;

  // A file that is accepted compressed is accepted inflated, as the same volume bit for bit.
  std::vector<std::uint8_t> inflated(std::size_t{32} << 20);
  const io::File file(packed.path());
  io::GzipReader reader(file);
  inflated.resize(reader.read(inflated.data(), inflated.size()));
  const MemoryFile plain(inflated);
  io::NiftiImage same;
  require(accepts([&] { same = io::read_nifti(plain.path(), options); }), "the inflated file reads as well");
  require(same.shape == image.shape && same.affine == image.affine, "both have one geometry");
  require(same.voxels.size() == image.voxels.size() &&
              std::memcmp(same.voxels.data(), image.voxels.data(), same.voxels.size() * sizeof(float)) == 0,
          "both have the same voxels");
  return true;
}

}  // namespace brain3d::fuzz
