// Devices, and what LibTorch's failures become.
#include "device/device.h"

#include "base/error.h"
#include "device/step_graph.h"
#include "support/golden.h"

using namespace brain3d;
using namespace brain3d::test;

TEST_CASE("device names") {
  CHECK(parse_device("cpu").is_cpu());
  for (const char* bad : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0x", "CPU"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_device(bad), Error);
  }
  CHECK_THROWS_WITH_AS(parse_device("cuda:63"), doctest::Contains("cuda:63"), Error);
}

TEST_CASE("an allocation that cannot succeed is OutOfMemory, without LibTorch's stack text") {
  try {
    with_torch_errors([] { at::empty({std::int64_t{1} << 55}, at::kFloat); });
    FAIL("the allocation succeeded");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::OutOfMemory);
    CHECK(std::string(error.what()).find("use a smaller batch") != std::string::npos);
    CHECK(std::string(error.what()).find("frame #") == std::string::npos);
  }
}

TEST_CASE("a failure inside LibTorch is Internal, and ours passes through") {
  CHECK_THROWS_WITH_AS(with_torch_errors([] { at::ones({2}).view({3}); }), doctest::Contains("shape"), Error);
  CHECK_THROWS_WITH_AS(with_torch_errors([] { fail(ErrorCode::Volume, "ours"); }), "ours", Error);
}

TEST_CASE("a step runs as written where nothing is captured") {
  int runs = 0;
  StepGraph graph(at::kCPU, true);
  for (int i = 0; i < 3; ++i) graph.run(i % 2, [&] { ++runs; });
  CHECK(runs == 3);
}
