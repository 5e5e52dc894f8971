// Large blocks: of tensors, and of vectors.
#include "base/large_memory.h"

#include <doctest/doctest.h>
#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <new>
#include <numeric>
#include <thread>
#include <vector>

#include "device/torch.h"

using namespace brain3d;

namespace {

constexpr std::int64_t kKiB = 1 << 10, kMiB = 1 << 20;
constexpr std::int64_t kExtra = 4 * kKiB;  // behind each block

at::Tensor tensor_of(std::int64_t bytes) { return at::empty({bytes}, at::kByte); }

}  // namespace

TEST_CASE("large CPU blocks are kept for reuse, up to a limit, and given back on request") {
  release_cached_cpu_memory();
  CHECK(cached_cpu_bytes() == 0);
  const void* first = tensor_of(8 * kMiB).const_data_ptr();
  CHECK(cached_cpu_bytes() == 8 * kMiB + kExtra);
  CHECK(tensor_of(8 * kMiB).const_data_ptr() == first);
  { const at::Tensor a = tensor_of(100 * kMiB), b = tensor_of(100 * kMiB), c = tensor_of(100 * kMiB); }
  CHECK(cached_cpu_bytes() > 200 * kMiB);
  CHECK(cached_cpu_bytes() <= 256 * kMiB);
  { const at::Tensor huge = tensor_of(200 * kMiB); }
  CHECK(cached_cpu_bytes() <= 256 * kMiB);
  release_cached_cpu_memory();
  CHECK(cached_cpu_bytes() == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(tensor_of(kMiB).const_data_ptr()) % 64 == 0);
}

TEST_CASE("blocks come in classes; below the smallest and above the largest nothing is kept") {
  release_cached_cpu_memory();
  const auto cached_after = [](std::int64_t bytes) {
    { const at::Tensor block = tensor_of(bytes).fill_(1); }
    const std::int64_t cached = cached_cpu_bytes();
    release_cached_cpu_memory();
    return cached;
  };
  CHECK(cached_after(64 * kKiB - 65) == 0);
  CHECK(cached_after(64 * kKiB - 64) == 64 * kKiB + kExtra);
  CHECK(cached_after(64 * kKiB) == 64 * kKiB + kExtra);
  CHECK(cached_after(64 * kKiB + 1) == 72 * kKiB + kExtra);
  CHECK(cached_after(7 * kMiB + 1) == kMiB * 15 / 2 + kExtra);
  CHECK(cached_after(8 * kMiB - 1) == 8 * kMiB + kExtra);
  CHECK(cached_after(128 * kMiB) == 128 * kMiB + kExtra);
  CHECK(cached_after(128 * kMiB + 1) == 0);
}

TEST_CASE("every class has a list of its own, and a block holds what was asked for") {
  release_cached_cpu_memory();
  std::size_t largest = 0;
  for (std::size_t bytes = kMinBlockBytes; bytes <= 8 * kMiB; bytes += bytes / 17) {
    auto* block = static_cast<std::byte*>(take_block(bytes));
    block[0] = block[bytes - 1] = std::byte{1};
    give_block(block, bytes);
    CHECK(take_block(bytes) == block);
    give_block(block, bytes);
    largest = bytes;
  }
  // 8 classes in each of the 7 doublings from 64 KiB to 8 MiB; each was kept once.
  CHECK(cached_cpu_bytes() >= 8 * static_cast<std::int64_t>(largest));
  CHECK(cached_cpu_bytes() <= 16 * static_cast<std::int64_t>(largest));
  release_cached_cpu_memory();
  CHECK(cached_cpu_bytes() == 0);
}

TEST_CASE("large memory does not come from malloc, and what was given back is no longer resident") {
  const auto resident_kib = [] {
    std::ifstream statm("/proc/self/statm");
    long total = 0, resident = 0;
    statm >> total >> resident;
    return resident * (sysconf(_SC_PAGESIZE) / kKiB);
  };
  const auto malloced = [] {
    const auto all = mallinfo2();
    return static_cast<std::int64_t>(all.uordblks + all.hblkhd);
  };
  const std::int64_t in_use = large_bytes_in_use();
  const auto use = [&](std::size_t mebibytes) {
    const std::int64_t before = malloced();
    const LargeVector<float> vector(mebibytes << 18, 1.0F);
    const at::Tensor tensor = at::ones({static_cast<std::int64_t>(mebibytes) << 18}, at::kFloat);
    CHECK(vector.back() + tensor[0].item<float>() == 2);
    CHECK(malloced() < before + 64 * kKiB);
    CHECK(large_bytes_in_use() - in_use == 2 * (static_cast<std::int64_t>(mebibytes) * kMiB + kExtra));
  };
  use(1);  // what comes with a first use
  release_cached_cpu_memory();
  const long before = resident_kib();
  for (const std::size_t mebibytes : {24, 8, 16, 2, 12}) use(mebibytes);
  release_cached_cpu_memory();
  CHECK(resident_kib() - before < 2048);
  CHECK(large_bytes_in_use() == in_use);
}

TEST_CASE("threads take, give and release at the same time") {
  release_cached_cpu_memory();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([t, &wrong] {
      for (std::size_t i = 0; i < 300; ++i) {
        LargeVector<std::uint8_t> mine((64 + (i * 37 + t * 11) % 512) << 10, static_cast<std::uint8_t>(t + 1));
        if (mine.front() != t + 1 || mine.back() != t + 1) ++wrong[t];
        if (i % 20 == t) release_cached_cpu_memory();
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
  release_cached_cpu_memory();
  CHECK(cached_cpu_bytes() == 0);
}

TEST_CASE("a large vector grows, moves and ends like any other") {
  LargeVector<std::int32_t> values;
  for (std::int32_t i = 0; i < 200'000; ++i) values.push_back(i);
  LargeVector<std::int32_t> copy = values;
  const LargeVector<std::int32_t> moved = std::move(values);
  CHECK(copy == moved);
  CHECK(std::accumulate(copy.begin(), copy.end(), std::int64_t{0}) == 19'999'900'000);
  copy.resize(3);
  copy.shrink_to_fit();
  CHECK(copy == LargeVector<std::int32_t>{0, 1, 2});
  CHECK(LargeVector<float>(100'000).back() == 0);
  CHECK_THROWS_AS(LargeVector<float>(std::size_t{1} << 60), std::bad_alloc);
}
