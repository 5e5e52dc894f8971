// Measures what reading a hostile file costs, and bounds it.
#pragma once

#include <ctime>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

namespace brain3d::io::test {

/// Measures from its construction to `check`: processor time (a busy machine does not count) and how far resident
/// memory rose above where it was.
class Bounds {
 public:
#ifdef B3D_TEST_SANITIZED  // unoptimised, and every access checked
  static constexpr double kMaxSeconds = 4.0;
#else
  static constexpr double kMaxSeconds = 1.0;
#endif
  static constexpr long kMaxKib = 64 * 1024;

  Bounds() : before_kib_(status_kib("VmRSS:")), start_(std::clock()) {
    std::ofstream("/proc/self/clear_refs") << "5";  // sets the peak to what is resident now
  }

  void check() const {
    CHECK(static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC < kMaxSeconds);
    CHECK(status_kib("VmHWM:") - before_kib_ < kMaxKib);
  }

 private:
  static long status_kib(const std::string& key) {
    std::ifstream in("/proc/self/status");
    for (std::string word; in >> word;) {
      long value = 0;
      if (word == key && in >> value) return value;
    }
    FAIL("no " << key << " in /proc/self/status");
    return 0;
  }

  long before_kib_;
  std::clock_t start_;
};

}  // namespace brain3d::io::test
