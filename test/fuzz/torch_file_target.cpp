#include "io/torch_zip/torch_file.h"

#include <vector>

#include "io/torch_zip/pickle.h"
#include "io/torch_zip/zip.h"
#include "memory_file.h"

namespace brain3d::fuzz {

bool fuzz_torch_file(Input input) {
  // The pickle machine also by itself: behind the archive's checksums most mutations would never reach it.
  accepts([&] { io::read_pickle(std::as_bytes(input), "data.pkl"); });
  const MemoryFile file(input);
  accepts([&] {
    const io::ZipArchive archive(file.path());
    for (const auto& entry : archive.entries()) {
      require(entry.offset <= input.size() && entry.size <= input.size() - entry.offset,
              "entries lie inside of the archive");
    }
  });
  io::PeerProjector projector;
  if (!accepts([&] { projector = io::read_peer_projector(file.path()); })) return false;
  for (const auto& [name, tensor] : projector.state) {
    const auto bytes = io::tensor_bytes(tensor.dtype, tensor.shape);
    require(bytes && *bytes == tensor.bytes.size(), "a tensor has the bytes of its shape");
    require(tensor.bytes.size() <= input.size(), "a tensor is no larger than its file");
  }
  return true;
}

}  // namespace brain3d::fuzz
