// Mutates what the gzip data hold and compresses it again: behind a checksum, changed bytes would teach nothing about
// the NIfTI reader. Every fourth input is changed as it is, for the gzip reader's own sake.
#include <algorithm>
#include <string>

#include "io/gzip.h"
#include "memory_file.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  using namespace brain3d;
  if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string contents(16 * 1024, '\0');
  std::size_t inflated = 0;
  try {
    const fuzz::MemoryFile packed({data, size});
    const io::File file(packed.path());
    io::GzipReader reader(file);
    inflated = reader.read(contents.data(), contents.size());
  } catch (const Error&) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  inflated = LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(contents.data()), inflated, contents.size());
  const std::string packed = io::gzip_compress({contents.data(), inflated}, static_cast<int>(seed / 4 % 10));
  if (packed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(packed.begin(), packed.end(), data);
  return packed.size();
}
