#define DOCTEST_CONFIG_IMPLEMENT
#include <ATen/Parallel.h>
#include <doctest/doctest.h>

int main(int argc, char** argv) {
  // The models here are far too small to share among cores: threads would only wait for each other.
  at::set_num_threads(1);
  doctest::Context context(argc, argv);
  return context.run();
}
