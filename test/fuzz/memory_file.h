// A file that never touches a disk, for readers that take a path.
#pragma once

#include <string>

#include "targets.h"

namespace brain3d::fuzz {

/// Owns an anonymous file in memory with the input's bytes; `path` opens it as often as wanted.
class MemoryFile {
 public:
  explicit MemoryFile(Input input);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace brain3d::fuzz
