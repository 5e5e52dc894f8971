// Devices: parsing their names, what they are, how much memory they hold. The only caller of CUDA's own interface
// outside ops/cuda.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "device/torch.h"

namespace brain3d {

/// "cpu", "cuda" (device 0) or "cuda:N". Throws Usage for another spelling, Device if the machine has no such device
/// or this build has no CUDA.
at::Device parse_device(const std::string& name);

/// Makes float32 mean float32: cuDNN's convolutions would otherwise round to TF32's 10 bits, which cuBLAS never does
/// here, and the patch embedding would be off by 1e-3. For the whole process; called before anything computes.
void use_ieee_float32();

struct CudaDeviceInfo {
  std::string name;  // "cuda:0"
  std::string description;
  std::int64_t total_bytes = 0;
  std::int64_t free_bytes = 0;
  std::string capability;  // "9.0"
};

/// Empty for a CPU build and where no driver answers.
std::vector<CudaDeviceInfo> cuda_devices();

/// Bytes this process held at the peak on `device` since `reset_peak_bytes`; 0 on CPU.
std::int64_t peak_bytes(at::Device device);
void reset_peak_bytes(at::Device device);

/// Gives what LibTorch keeps of the devices' memory, but does not use, back to the driver; nothing in a CPU build. May
/// wait for the devices. A device that has failed says so at its next use, not here.
void release_cached_device_memory() noexcept;

/// Waits for the work queued on `device`; no-op on CPU.  // syncs
void synchronize(at::Device device);

/// Runs `work`, turning allocation failures and CUDA errors of LibTorch into `Error` (OutOfMemory, Device, Internal)
/// without LibTorch's stack text, which leaks build paths.
void with_torch_errors(const std::function<void()>& work);

}  // namespace brain3d
