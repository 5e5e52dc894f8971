#include "core/cpu_allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <bit>
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

namespace brain3d {

namespace {

constexpr std::size_t kMinBlockBytes = std::size_t{256} << 10;  // below, malloc is as fast
constexpr std::size_t kMaxBlockBytes = std::size_t{128} << 20;  // above, it is a weight or a whole volume
constexpr std::size_t kMaxCachedBytes = std::size_t{256} << 20;
constexpr std::size_t kHeaderBytes = 64;  // LibTorch's CPU alignment; holds the block's size

/// Sizes that come close are the same class: an eighth of a power of two, so at most 12.5% is wasted.
std::size_t block_size(std::size_t bytes) {
  if (bytes < kMinBlockBytes || bytes > kMaxBlockBytes) return bytes;
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

class BlockCache {
 public:
  /// Never destroyed: tensors may be freed after static destructors have begun.
  static BlockCache& instance() {
    static auto* cache = new BlockCache;
    return *cache;
  }

  void* take(std::size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = blocks_.find(size);
    if (found == blocks_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    cached_bytes_ -= size;
    return block;
  }

  bool keep(void* block, std::size_t size) {
    if (size < kMinBlockBytes || size > kMaxBlockBytes) return false;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cached_bytes_ + size > kMaxCachedBytes) return false;
    blocks_[size].push_back(block);
    cached_bytes_ += size;
    return true;
  }

  void release() {
    std::map<std::size_t, std::vector<void*>> released;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      released.swap(blocks_);
      cached_bytes_ = 0;
    }
    for (const auto& [size, blocks] : released)
      for (void* block : blocks) c10::free_cpu(block);
  }

  std::size_t cached_bytes() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cached_bytes_;
  }

 private:
  std::mutex mutex_;
  std::map<std::size_t, std::vector<void*>> blocks_;
  std::size_t cached_bytes_ = 0;
};

void free_block(void* data) {
  if (data == nullptr) return;
  void* block = static_cast<std::byte*>(data) - kHeaderBytes;
  const std::size_t size = *static_cast<std::size_t*>(block);
  if (!BlockCache::instance().keep(block, size)) c10::free_cpu(block);
}

class CachingCpuAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &free_block, c10::Device(c10::DeviceType::CPU)};
    const std::size_t size = block_size(bytes);
    void* block = BlockCache::instance().take(size);
    if (block == nullptr) block = c10::alloc_cpu(size + kHeaderBytes);  // throws c10::Error when there is none
    *static_cast<std::size_t*>(block) = size;
    void* data = static_cast<std::byte*>(block) + kHeaderBytes;
    return {data, data, &free_block, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }

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

void release_cached_cpu_memory() { BlockCache::instance().release(); }

std::int64_t cached_cpu_bytes() { return static_cast<std::int64_t>(BlockCache::instance().cached_bytes()); }

}  // namespace brain3d
