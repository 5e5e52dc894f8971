#include "device/cpu_allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>

#include <cstddef>
#include <new>

#include "base/large_memory.h"

namespace brain3d {

namespace {

constexpr std::size_t kHeaderBytes = 64;  // LibTorch's CPU alignment; holds the whole's size

void free_tensor(void* data) {
  if (data == nullptr) return;
  void* whole = static_cast<std::byte*>(data) - kHeaderBytes;
  const std::size_t bytes = *static_cast<std::size_t*>(whole);
  if (is_block(bytes))
    give_block(whole, bytes);
  else
    c10::free_cpu(whole);
}

/// Throws c10::Error when there is no memory, as c10's own does.
void* take_memory(std::size_t bytes) {
  if (!is_block(bytes)) return c10::alloc_cpu(bytes);
  try {
    return take_block(bytes);
  } catch (const std::bad_alloc&) {
    TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes, " bytes");
  }
}

class CachingCpuAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &free_tensor, c10::Device(c10::DeviceType::CPU)};
    void* whole = take_memory(bytes + kHeaderBytes);
    *static_cast<std::size_t*>(whole) = bytes + kHeaderBytes;
    void* data = static_cast<std::byte*>(whole) + kHeaderBytes;
    return {data, data, &free_tensor, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &free_tensor; }

  void copy_data(void* destination, const void* source, std::size_t bytes) const override {
    default_copy_data(destination, source, bytes);
  }
};

}  // namespace

void install_caching_cpu_allocator() {
  static auto* allocator = [] {
    auto* made = new CachingCpuAllocator;
    c10::SetCPUAllocator(made, /*priority=*/1);
    return made;
  }();
  static_cast<void>(allocator);
}

}  // namespace brain3d
