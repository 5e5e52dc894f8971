// The linker sends the calls of malloc and free in this program's objects here (--wrap); those inside of the C and C++
// libraries, such as the memory of an exception, stay what they are.
#include "allocation_fault.h"

#include <cstddef>
#include <limits>
#include <new>

extern "C" {
void* __real_malloc(std::size_t bytes);
void* __real_calloc(std::size_t count, std::size_t bytes);
void __real_free(void* memory);
void* __wrap_malloc(std::size_t bytes);
void* __wrap_calloc(std::size_t count, std::size_t bytes);
void __wrap_free(void* memory);
}

namespace brain3d::fuzz {
namespace {

constexpr long kNever = std::numeric_limits<long>::max();
long until_failure = kNever;
Fault kind = Fault::Once;
bool happened = false;
bool happened_in_zlib = false;
long live = 0;

bool fails(bool in_zlib) noexcept {
  if (until_failure == kNever || --until_failure > 0) return false;
  if (!happened) happened_in_zlib = in_zlib;
  happened = true;
  until_failure = kind == Fault::Forever ? 1 : kNever;
  return true;
}

void* counted(void* memory) noexcept {
  if (memory != nullptr) ++live;
  return memory;
}

}  // namespace

AllocationFault::AllocationFault(long nth, Fault fault) noexcept {
  happened = happened_in_zlib = false;
  kind = fault;
  until_failure = nth == 0 ? kNever : nth;
}

AllocationFault::~AllocationFault() { until_failure = kNever; }

bool fault_happened() noexcept { return happened; }
bool fault_was_in_zlib() noexcept { return happened_in_zlib; }
long live_allocations() noexcept { return live; }

}  // namespace brain3d::fuzz

using brain3d::fuzz::counted;
using brain3d::fuzz::fails;

void* __wrap_malloc(std::size_t bytes) { return fails(true) ? nullptr : counted(__real_malloc(bytes)); }

void* __wrap_calloc(std::size_t count, std::size_t bytes) {
  return fails(true) ? nullptr : counted(__real_calloc(count, bytes));
}

void __wrap_free(void* memory) {
  if (memory != nullptr) --brain3d::fuzz::live;
  __real_free(memory);
}

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return fails(false) ? nullptr : counted(__real_malloc(bytes == 0 ? 1 : bytes));
}

void* operator new(std::size_t bytes) {
  void* memory = operator new(bytes, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t& tag) noexcept { return operator new(bytes, tag); }
void operator delete(void* memory) noexcept { __wrap_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { __wrap_free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { __wrap_free(memory); }
void operator delete[](void* memory) noexcept { __wrap_free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { __wrap_free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { __wrap_free(memory); }
