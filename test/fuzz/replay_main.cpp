// Feeds every file of CORPUS/<target>/ to its target: `fuzz_replay CORPUS`. A crash ends the program and names the file
// on its last line; the summary says how many there were. `fuzz_replay --accepted TARGET DIR` prints the names of the
// files in DIR that the target accepts, for tools/reference/hostile.mjs.
#include <algorithm>
#include <array>
#include <ctime>
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
  bool (*run)(Input);
};

constexpr std::array<Target, 5> kTargets{{{"nifti", fuzz_nifti},
                                          {"nifti_gz", fuzz_nifti_gz},
                                          {"safetensors", fuzz_safetensors},
                                          {"torch_file", fuzz_torch_file},
                                          {"json_config", fuzz_json_config}}};
constexpr double kMaxSeconds = 1;  // of processor time, so that a busy machine does not count

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// Returns how many inputs ran.
int replay(const Target& target, const std::filesystem::path& directory) {
  const std::vector<std::filesystem::path> files = files_in(directory);
  for (const auto& file : files) {
    std::fprintf(stderr, "%s/%s\n", target.name, file.filename().c_str());
    const std::vector<std::uint8_t> bytes = read_file(file);
    const std::clock_t start = std::clock();
    target.run(bytes);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    require(seconds < kMaxSeconds, "an input is refused or read within a second");
  }
  return static_cast<int>(files.size());
}

void print_accepted(const std::string& name, const std::filesystem::path& directory) {
  for (const Target& target : kTargets) {
    if (name != target.name) continue;
    for (const auto& file : files_in(directory)) {
      if (target.run(read_file(file))) std::printf("%s\n", file.filename().c_str());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--accepted") {
    print_accepted(argv[2], argv[3]);
    return 0;
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_replay CORPUS | --accepted TARGET DIR\n");
    return 2;
  }
  for (const Target& target : kTargets) {
    const int inputs = replay(target, std::filesystem::path(argv[1]) / target.name);
    require(inputs > 0, "every target has inputs");
    std::printf("replayed %s: %d inputs\n", target.name, inputs);
  }
}
