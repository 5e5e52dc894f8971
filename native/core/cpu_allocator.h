// LibTorch's CPU memory for this process, with large blocks kept for reuse.
#pragma once

#include <cstdint>

namespace brain3d {

/// Makes LibTorch take CPU tensors from a caching allocator; once per process, later calls do nothing.
///
/// Why: glibc hands the memory of threads other than the main one back to the system after almost every large tensor,
/// and the next one faults it in again page by page. On a thread of our own that made a prefill a quarter slower.
void install_caching_cpu_allocator();

/// Gives the blocks that are kept but not in use back to the system.
void release_cached_cpu_memory();

/// Bytes kept but not in use; at most 256 MiB.
std::int64_t cached_cpu_bytes();

}  // namespace brain3d
