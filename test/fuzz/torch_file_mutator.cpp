// Mutates one entry of the archive and writes the archive anew, checksums and sizes right: what lies behind them (the
// pickle) is where the danger is. Every fourth input is changed as it is, for the zip reader's own sake.
#include <algorithm>
#include <string>
#include <vector>

#include "io/torch_zip/torch_file_builder.h"
#include "io/torch_zip/zip.h"
#include "memory_file.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  using namespace brain3d;
  constexpr std::size_t kMaxParts = 64;
  if (seed % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::vector<io::test::ZipPart> parts;
  try {
    const fuzz::MemoryFile file({data, size});
    const io::ZipArchive archive(file.path());
    for (const auto& entry : archive.entries()) {
      const std::vector<std::byte> contents = archive.read(entry);
      parts.push_back({entry.name, {reinterpret_cast<const char*>(contents.data()), contents.size()}});
    }
  } catch (const Error&) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  if (parts.empty() || parts.size() > kMaxParts) return LLVMFuzzerMutate(data, size, max_size);

  // The pickle rather than a tensor's numbers, most of the time.
  std::size_t chosen = seed / 4 % parts.size();
  for (std::size_t i = 0; i < parts.size() && seed % 4 != 1; ++i) {
    if (parts[i].name.ends_with("data.pkl")) chosen = i;
  }
  std::string contents = parts[chosen].contents;
  const std::size_t before = contents.size();
  contents.resize(before + (max_size - size) / 2);
  contents.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(contents.data()), before, contents.size()));
  parts[chosen] = {parts[chosen].name, contents};
  const std::string packed = io::test::zip(parts);
  if (packed.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(packed.begin(), packed.end(), data);
  return packed.size();
}
