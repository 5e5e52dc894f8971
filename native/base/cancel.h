// Cancellation that crosses threads: set on the JavaScript thread, polled per encoder layer and per decoded token.
#pragma once

#include <atomic>
#include <memory>

#include "base/error.h"

namespace brain3d {

class CancelFlag {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

  /// Throws Cancelled once `cancel` was called.
  void check() const { B3D_CHECK(!cancelled(), Cancelled, "the operation was cancelled"); }

 private:
  std::atomic<bool> cancelled_{false};
};

using CancelHandle = std::shared_ptr<CancelFlag>;

}  // namespace brain3d
