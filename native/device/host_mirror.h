// Reads small device tensors on the host without draining the device's queue.
#pragma once

#include <deque>

#include <c10/core/Event.h>

#include "device/torch.h"

namespace brain3d {

/// A queue of device-to-host copies. On the CPU a copy is there at once; on CUDA it lands in pinned memory while
/// later work is already queued, and `pop` waits for that copy's own event only.
class HostMirror {
 public:
  explicit HostMirror(at::Device device) : device_(device) {}

  /// Queues a copy of `tensor` behind the work issued so far.
  void push(const at::Tensor& tensor);

  std::size_t num_pending() const { return pending_.size(); }

  /// The oldest copy, on the host.  // syncs with that copy's event
  at::Tensor pop();

 private:
  struct Pending {
    at::Tensor host;
    std::optional<c10::Event> event;
  };

  at::Device device_;
  std::deque<Pending> pending_;
};

}  // namespace brain3d
