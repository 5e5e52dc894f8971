#include "base/large_memory.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <utility>

namespace brain3d {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasBlocks = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kHasBlocks = false;
#else
constexpr bool kHasBlocks = true;
#endif
#else
constexpr bool kHasBlocks = true;
#endif

constexpr std::size_t kMaxKeptBytes = std::size_t{128} << 20;  // above, it is a weight or a whole volume
constexpr std::size_t kMaxCachedBytes = std::size_t{256} << 20;
constexpr std::size_t kHeaderBytes =
    64;  // an allocator may put so much in front; with it a power of two is still in its class
constexpr std::size_t kExtraBytes = 4096;  // behind the class, for that
constexpr std::size_t kSteps = 8;          // classes from a power of two to the next: at most 12.5% is wasted

constexpr std::size_t log2_of(std::size_t bytes) { return static_cast<std::size_t>(std::bit_width(bytes)) - 1; }

/// Sizes that come close are the same class.
struct BlockClass {
  std::size_t mapped_bytes;
  std::size_t index;
  bool is_kept;
};

BlockClass class_of(std::size_t bytes) {
  const std::size_t contents = bytes - kHeaderBytes;
  if (contents > kMaxKeptBytes) return {bytes, 0, false};
  const std::size_t step = std::bit_floor(contents) / kSteps;
  const std::size_t size = (contents + step - 1) / step * step;
  const std::size_t steps = size / (std::bit_floor(size) / kSteps);  // kSteps to 2 * kSteps - 1
  return {size + kExtraBytes, (log2_of(size) - log2_of(kMinBlockBytes)) * kSteps + steps - kSteps, true};
}

void* map_pages(std::size_t bytes) noexcept {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

std::atomic<std::int64_t> in_use{0};

/// The link of a free list; it lies in the first bytes of a block that nobody uses.
struct FreeBlock {
  FreeBlock* next;
  std::size_t mapped_bytes;
};

class BlockCache {
 public:
  /// Never destroyed: tensors may be freed after static destructors have begun.
  static BlockCache& instance() {
    static auto* cache = new BlockCache;
    return *cache;
  }

  void* take(const BlockClass& wanted) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    FreeBlock* block = first_[wanted.index];
    if (block == nullptr) return nullptr;
    first_[wanted.index] = block->next;
    cached_bytes_ -= wanted.mapped_bytes;
    return block;
  }

  bool keep(void* memory, const BlockClass& of) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cached_bytes_ + of.mapped_bytes > kMaxCachedBytes) return false;
    first_[of.index] = new (memory) FreeBlock{first_[of.index], of.mapped_bytes};
    cached_bytes_ += of.mapped_bytes;
    return true;
  }

  void release() noexcept {
    decltype(first_) released{};
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::swap(released, first_);
      cached_bytes_ = 0;
    }
    for (FreeBlock* block : released)
      while (block != nullptr) {
        FreeBlock* next = block->next;
        munmap(block, block->mapped_bytes);
        block = next;
      }
  }

  std::size_t cached_bytes() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cached_bytes_;
  }

 private:
  std::mutex mutex_;
  std::array<FreeBlock*, (log2_of(kMaxKeptBytes) - log2_of(kMinBlockBytes)) * kSteps + 1> first_{};  // by class
  std::size_t cached_bytes_ = 0;
};

}  // namespace

bool is_block(std::size_t bytes) noexcept { return kHasBlocks && bytes >= kMinBlockBytes; }

void* take_block(std::size_t bytes) {
  BlockCache& cache = BlockCache::instance();
  const BlockClass wanted = class_of(bytes);
  void* block = wanted.is_kept ? cache.take(wanted) : nullptr;
  if (block == nullptr) block = map_pages(wanted.mapped_bytes);
  if (block == nullptr) {
    cache.release();
    block = map_pages(wanted.mapped_bytes);
  }
  if (block == nullptr) throw std::bad_alloc();
  in_use += static_cast<std::int64_t>(wanted.mapped_bytes);
  return block;
}

void give_block(void* block, std::size_t bytes) noexcept {
  const BlockClass of = class_of(bytes);
  in_use -= static_cast<std::int64_t>(of.mapped_bytes);
  if (!of.is_kept || !BlockCache::instance().keep(block, of)) munmap(block, of.mapped_bytes);
}

void release_cached_cpu_memory() noexcept { BlockCache::instance().release(); }

std::int64_t large_bytes_in_use() noexcept { return in_use; }

std::int64_t cached_cpu_bytes() noexcept { return static_cast<std::int64_t>(BlockCache::instance().cached_bytes()); }

}  // namespace brain3d
