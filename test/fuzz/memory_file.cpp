#include "memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

namespace brain3d::fuzz {

MemoryFile::MemoryFile(Input input) : descriptor_(::memfd_create("input", MFD_CLOEXEC)) {
  require(descriptor_ >= 0, "memfd_create works here");
  const ssize_t written = ::write(descriptor_, input.data(), input.size());
  require(written == static_cast<ssize_t>(input.size()), "the input fits into memory");
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

}  // namespace brain3d::fuzz
