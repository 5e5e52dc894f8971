#include "io/safetensors/safetensors.h"
#include "memory_file.h"

namespace brain3d::fuzz {

bool fuzz_safetensors(Input input) {
  const MemoryFile file(input);
  return accepts([&] {
    const io::SafetensorsFile tensors(file.path());
    std::uint64_t covered = 8 + tensors.header_bytes();
    unsigned sum = 0;
    for (const auto& [name, entry] : tensors.tensors()) {
      require(entry.begin <= entry.end && entry.end <= input.size(), "tensors lie inside of the file");
      const auto bytes = io::tensor_bytes(entry.dtype, entry.shape);
      require(bytes && *bytes == entry.end - entry.begin, "a tensor has the bytes of its shape");
      const std::byte* data = tensors.data(entry);
      for (std::uint64_t at = 0; at < *bytes; ++at) sum += std::to_integer<unsigned>(data[at]);
      covered += *bytes;
    }
    require(covered == input.size() && sum < ~0U, "tensors and header are the whole file");
  });
}

}  // namespace brain3d::fuzz
