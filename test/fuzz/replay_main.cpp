// Feeds every file of CORPUS/<target>/ to its target: `fuzz_replay CORPUS`. A crash ends the program and names the file
// on its last line; the summary says how many there were.
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "targets.h"

namespace {

using namespace brain3d::fuzz;

struct Target {
  const char* name;
  void (*run)(Input);
};

constexpr std::array<Target, 5> kTargets{{{"nifti", fuzz_nifti},
                                          {"nifti_gz", fuzz_nifti_gz},
                                          {"safetensors", fuzz_safetensors},
                                          {"torch_checkpoint", fuzz_torch_checkpoint},
                                          {"json_config", fuzz_json_config}}};
constexpr double kMaxSeconds = 5;  // the readers' bound of 1 s, on a busy machine under sanitizers

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Returns how many inputs ran.
int replay(const Target& target, const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::fprintf(stderr, "%s/%s", target.name, file.filename().c_str());
    const std::vector<std::uint8_t> bytes = read_file(file);
    const auto start = std::chrono::steady_clock::now();
    target.run(bytes);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    require(elapsed.count() < kMaxSeconds, "an input is refused or read within seconds");
    std::fprintf(stderr, "\r\x1b[K");
  }
  return static_cast<int>(files.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_replay CORPUS\n");
    return 2;
  }
  for (const Target& target : kTargets) {
    const int inputs = replay(target, std::filesystem::path(argv[1]) / target.name);
    require(inputs > 0, "every target has inputs");
    std::printf("replayed %s: %d inputs\n", target.name, inputs);
  }
}
