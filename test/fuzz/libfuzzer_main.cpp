// libFuzzer's way in; FUZZ_TARGET is one of targets.h.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  brain3d::fuzz::FUZZ_TARGET({data, size});
  return 0;
}
