#include "device/host_mirror.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

namespace brain3d {

void HostMirror::push(const at::Tensor& tensor) {
  if (device_.is_cpu()) {
    pending_.push_back({tensor.clone(), std::nullopt});
    return;
  }
  at::Tensor host = at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
  host.copy_(tensor, /*non_blocking=*/true);
  c10::Event event(device_.type());
  event.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  pending_.push_back({std::move(host), std::move(event)});
}

at::Tensor HostMirror::pop() {
  Pending oldest = std::move(pending_.front());
  pending_.pop_front();
  if (oldest.event) oldest.event->synchronize();
  return std::move(oldest.host);
}

}  // namespace brain3d
