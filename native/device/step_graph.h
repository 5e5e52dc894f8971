// Repeats a step whose work depends on device state only, by CUDA graphs where that is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "device/torch.h"

namespace brain3d {

/// A captured step allocates once, at its capture, and replays with one launch. Everything else runs as written.
class StepGraph {
 public:
  /// `capture` has no effect on the CPU and in a CPU build.
  StepGraph(at::Device device, bool capture);
  ~StepGraph();

  /// Runs `body`. With capture: the first run of a `key` is as written (libraries set themselves up then), the second
  /// is recorded, later ones are replayed. `body` must do the same work whenever `key` is the same, on tensors that
  /// outlive this object, and must not wait for the device.
  void run(std::int64_t key, const std::function<void()>& body);

 private:
  struct Captured;
  std::unique_ptr<Captured> captured_;  // null where steps run as written
};

}  // namespace brain3d
