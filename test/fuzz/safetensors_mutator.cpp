// Mutates the header or the tensors and sets the length of the header to match: a random length refuses almost every
// input at its first check. Every eighth input is changed as it is.
#include <algorithm>
#include <cstring>
#include <string>

#include "targets.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  constexpr std::size_t kLengthBytes = 8;
  std::uint64_t header = 0;
  if (size >= kLengthBytes) std::memcpy(&header, data, kLengthBytes);
  if (seed % 8 == 0 || size < kLengthBytes || header > size - kLengthBytes) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const auto* begin = reinterpret_cast<const char*>(data) + kLengthBytes;
  std::string parts[2] = {{begin, header}, {begin + header, size - kLengthBytes - header}};
  const std::size_t room = max_size - size;
  std::string& changed = parts[seed % 8 == 1 ? 1 : 0];
  const std::size_t before = changed.size();
  changed.resize(before + room);
  changed.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(changed.data()), before, changed.size()));
  header = parts[0].size();
  std::memcpy(data, &header, kLengthBytes);
  std::uint8_t* at = std::copy(parts[0].begin(), parts[0].end(), data + kLengthBytes);
  at = std::copy(parts[1].begin(), parts[1].end(), at);
  return static_cast<std::size_t>(at - data);
}
