// LibTorch's CPU memory for this process: large tensors are blocks of core/large_memory.h.
#pragma once

namespace brain3d {

/// Makes LibTorch take CPU tensors from a caching allocator; once per process, later calls do nothing.
///
/// Why: on a thread other than the main one, a prefill of the small benchmark model took about 190 ms, and 135 ms with
/// MALLOC_ARENA_MAX=1 (scratch timings on a noisy machine of two cores), which points at glibc handing the memory of
/// such threads back after each large tensor. How much of that this saves, beside the single computing thread of
/// napi/addon_data.h, was not measured apart.
void install_caching_cpu_allocator();

}  // namespace brain3d
