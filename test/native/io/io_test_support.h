// Shared by the tests of io: a temporary directory, files in it, and the form of a refusal.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "base/error.h"

namespace brain3d::io::test {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "brain3d-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Writes a file and returns its path.
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream out(file(name), std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return file(name);
  }

 private:
  std::string path_;
};

inline std::string read_back(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string golden(std::string_view name) { return std::string(B3D_TEST_GOLDEN_DIR) + "/" + std::string(name); }

/// A number's bytes as the file holds them.
template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

/// Checks that `action` throws brain3d::Error with this code, a message that contains `part` and, if given, this field.
template <typename Action>
void check_refused(Action&& action, ErrorCode code, std::string_view part, const char* field = nullptr) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    CAPTURE(message);
    CHECK(std::string(error_code_name(error.code())) == error_code_name(code));
    CHECK(message.find(part) != std::string::npos);
    if (field != nullptr) CHECK(error.detail().field == field);
    return;
  }
  FAIL_CHECK("expected an error with \"" << std::string(part) << "\"");
}

}  // namespace brain3d::io::test
