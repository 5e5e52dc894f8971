// Large memory, apart from malloc's: whole pages from the system, kept for the next use.
//
// Why: malloc maps large blocks too, but freeing one raises its threshold to that size (up to 32 MiB), and the size
// from which it gives free memory back to twice that, in all its heaps. From then on large blocks are cut out of the
// heaps, of which each thread has one, and nothing is given back: neither ours nor what the threads of V8's compiler
// leave. So the host's malloc never sees a large block of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

namespace brain3d {

inline constexpr std::size_t kMinBlockBytes = std::size_t{64} << 10;

/// Whether so much memory is a block; less is malloc's. Under a sanitizer nothing is: it watches malloc, and reuse, or
/// pages that it knows nothing of, would hide errors. Asked here, so that code compiled without the sanitizer does the
/// same.
bool is_block(std::size_t bytes) noexcept;

/// At least `bytes`, which are a block, from the beginning of a page. What it holds is undefined; what was never
/// written is not resident. Throws std::bad_alloc.
void* take_block(std::size_t bytes);

/// `bytes` as they were asked for. Keeps the block unless it is above 128 MiB, or 256 MiB are kept already.
void give_block(void* block, std::size_t bytes) noexcept;

/// Gives the blocks that are kept but not in use back to the system.
void release_cached_cpu_memory() noexcept;

/// Bytes kept but not in use; at most 256 MiB.
std::int64_t cached_cpu_bytes() noexcept;

/// Bytes of the blocks in use, which malloc does not count.
std::int64_t large_bytes_in_use() noexcept;

template <typename T>
struct LargeAllocator {
  using value_type = T;
  static_assert(alignof(T) <= alignof(std::max_align_t));

  LargeAllocator() = default;
  template <typename U>
  LargeAllocator(const LargeAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) throw std::bad_array_new_length();
    const std::size_t bytes = count * sizeof(T);
    return static_cast<T*>(is_block(bytes) ? take_block(bytes) : ::operator new(bytes));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    if (const std::size_t bytes = count * sizeof(T); is_block(bytes))
      give_block(memory, bytes);
    else
      ::operator delete(memory);
  }
  friend bool operator==(const LargeAllocator&, const LargeAllocator&) noexcept { return true; }
};

/// An allocator for voxels and for values computed from them.
template <typename T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace brain3d
