#include "device/device.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <charconv>
#include <new>

#include "base/error.h"

#ifdef BRAIN3D_WITH_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace brain3d {

namespace {

int cuda_device_count() {
#ifdef BRAIN3D_WITH_CUDA
  return static_cast<int>(c10::cuda::device_count());
#else
  return 0;
#endif
}

int parse_cuda_index(const std::string& name) {
  if (name == "cuda") return 0;
  int index = -1;
  const char* begin = name.data() + 5;  // behind "cuda:"
  const char* end = name.data() + name.size();
  const auto [last, status] = std::from_chars(begin, end, index);
  B3D_CHECK(status == std::errc{} && last == end && index >= 0, Usage, "expected device cpu, cuda or cuda:N, got '",
            name, "'");
  return index;
}

}  // namespace

at::Device parse_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  B3D_CHECK(name == "cuda" || name.rfind("cuda:", 0) == 0, Usage, "expected device cpu, cuda or cuda:N, got '", name,
            "'");
  const int index = parse_cuda_index(name);
#ifndef BRAIN3D_WITH_CUDA
  fail(
      ErrorCode::Device, "device '", name,
      "' was asked for, but this build of brain3d has no CUDA; build it with nvcc against a CUDA LibTorch, or use cpu");
#endif
  const int count = cuda_device_count();
  B3D_CHECK(index < count, Device, "device '", name, "' was asked for, but ", count,
            " CUDA devices are visible; check the driver and CUDA_VISIBLE_DEVICES, or use cpu");
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

std::vector<CudaDeviceInfo> cuda_devices() {
  std::vector<CudaDeviceInfo> devices;
#ifdef BRAIN3D_WITH_CUDA
  for (int index = 0; index < cuda_device_count(); ++index) {
    const c10::cuda::CUDAGuard guard(static_cast<at::DeviceIndex>(index));
    const auto* properties = at::cuda::getDeviceProperties(index);
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    C10_CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
    devices.push_back({concat("cuda:", index), properties->name, static_cast<std::int64_t>(total_bytes),
                       static_cast<std::int64_t>(free_bytes), concat(properties->major, ".", properties->minor)});
  }
#endif
  return devices;
}

void use_ieee_float32() { at::globalContext().setAllowTF32CuDNN(false); }

std::int64_t peak_bytes([[maybe_unused]] at::Device device) {
#ifdef BRAIN3D_WITH_CUDA
  if (device.is_cuda()) {
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
    return stats.allocated_bytes[0].peak;
  }
#endif
  return 0;
}

void reset_peak_bytes([[maybe_unused]] at::Device device) {
#ifdef BRAIN3D_WITH_CUDA
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::resetPeakStats(device.index());
#endif
}

void release_cached_device_memory() noexcept {
#ifdef BRAIN3D_WITH_CUDA
  try {
    c10::cuda::CUDACachingAllocator::emptyCache();
  } catch (const c10::Error&) {
    return;  // memory of a device that has failed is the driver's business
  }
#endif
}

void synchronize([[maybe_unused]] at::Device device) {
#ifdef BRAIN3D_WITH_CUDA
  if (device.is_cuda()) {
    const c10::cuda::CUDAGuard guard(device);
    c10::cuda::device_synchronize();
  }
#endif
}

void with_torch_errors(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error&) {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    fail(ErrorCode::OutOfMemory, error.what_without_backtrace(),
         "; use a smaller batch, bfloat16, or a device with more memory");
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    // The CPU allocator has no exception class of its own.
    if (message.find("DefaultCPUAllocator") != std::string::npos)
      fail(ErrorCode::OutOfMemory, message, "; use a smaller batch or bfloat16, or free memory");
    if (message.find("CUDA") != std::string::npos) fail(ErrorCode::Device, message);
    fail(ErrorCode::Internal, message);
  } catch (const std::bad_alloc&) {
    fail(ErrorCode::OutOfMemory, kOutOfMemoryText);
  }
}

}  // namespace brain3d
