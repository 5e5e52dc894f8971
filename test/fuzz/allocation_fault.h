// Memory that runs out on demand: this program's operator new, and what C code compiled with it (zlib) asks of malloc.
#pragma once

namespace brain3d::fuzz {

enum class Fault {
  Once,     // one allocation fails, the next ones succeed
  Forever,  // and so does every later one
};

/// While this object lives, the `nth` allocation (from 1; 0: none) fails. There is one at a time, on one thread.
class AllocationFault {
 public:
  AllocationFault(long nth, Fault fault) noexcept;
  ~AllocationFault();
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;
};

/// True if the last fault came to happen, and in zlib rather than in C++.
bool fault_happened() noexcept;
bool fault_was_in_zlib() noexcept;

/// Allocations that were not freed yet.
long live_allocations() noexcept;

}  // namespace brain3d::fuzz
