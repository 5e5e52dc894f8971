#include "device/step_graph.h"

#ifdef BRAIN3D_WITH_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <map>
#endif

namespace brain3d {

#ifdef BRAIN3D_WITH_CUDA

struct StepGraph::Captured {
  explicit Captured(at::Device device)
      : stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())) {}

  c10::cuda::CUDAStream stream;  // the default stream cannot be captured
  // One for all graphs: they are replayed one after another, and what outlives a step lies outside.
  at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
  std::map<std::int64_t, std::unique_ptr<at::cuda::CUDAGraph>> graphs;  // null: ran once, not recorded yet
};

StepGraph::StepGraph(at::Device device, bool capture) {
  if (capture && device.is_cuda()) captured_ = std::make_unique<Captured>(device);
}

void StepGraph::run(std::int64_t key, const std::function<void()>& body) {
  if (captured_ == nullptr) {
    body();
    return;
  }
  const c10::cuda::CUDAStream caller = c10::cuda::getCurrentCUDAStream(captured_->stream.device_index());
  const auto order = [](c10::cuda::CUDAStream first, c10::cuda::CUDAStream second) {
    at::cuda::CUDAEvent event;
    event.record(first);
    event.block(second);
  };
  order(caller, captured_->stream);
  {
    const c10::cuda::CUDAStreamGuard guard(captured_->stream);
    const auto found = captured_->graphs.find(key);
    if (found == captured_->graphs.end()) {
      body();
      captured_->graphs.emplace(key, nullptr);
    } else {
      if (found->second == nullptr) {
        found->second = std::make_unique<at::cuda::CUDAGraph>();
        // The capture sees the calls of this thread alone, because another environment of the process may use the
        // device meanwhile.
        found->second->capture_begin(captured_->pool, cudaStreamCaptureModeThreadLocal);
        body();
        found->second->capture_end();
      }
      found->second->replay();
    }
  }
  order(captured_->stream, caller);
}

#else

struct StepGraph::Captured {};

StepGraph::StepGraph(at::Device, bool) {}

void StepGraph::run(std::int64_t, const std::function<void()>& body) { body(); }

#endif

StepGraph::~StepGraph() = default;

}  // namespace brain3d
