#define DOCTEST_CONFIG_IMPLEMENT
#include <ATen/Parallel.h>
#include <doctest/doctest.h>

#include "device/cpu_allocator.h"

int main(int argc, char** argv) {
  // The models here are far too small to share among cores: threads would only wait for each other.
  at::set_num_threads(1);
  brain3d::install_caching_cpu_allocator();  // as the addon does: the tests run on it
  doctest::Context context(argc, argv);
  return context.run();
}
