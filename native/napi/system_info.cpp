// Versions, devices and memory, for `doctor` and bug reports.
#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "base/large_memory.h"
#include "device/device.h"
#include "napi/errors.h"
#include "napi/exports.h"

namespace brain3d::napi {

namespace {

Napi::Value build_info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const std::string cuda = BRAIN3D_CUDA_VERSION;
  Napi::Object out = Napi::Object::New(env);
  out.Set("version", BRAIN3D_VERSION);
  out.Set("torchVersion", BRAIN3D_TORCH_VERSION);
  out.Set("cudaVersion", cuda.empty() ? env.Null() : Napi::Value(Napi::String::New(env, cuda)));
  out.Set("napiVersion", NAPI_VERSION);
  out.Set("compiler", "g++ " __VERSION__);
  out.Set("debug", Napi::Boolean::New(env, BRAIN3D_DEBUG_BUILD));
  return out;
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total_pages = 0, resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024.0;  // Linux counts kibibytes
}

Napi::Value system_info(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const Napi::Env env = call.Env();
    Napi::Array devices = Napi::Array::New(env);
    std::uint32_t index = 0;
    for (const CudaDeviceInfo& device : cuda_devices()) {
      Napi::Object item = Napi::Object::New(env);
      item.Set("name", device.name);
      item.Set("description", device.description);
      item.Set("totalBytes", static_cast<double>(device.total_bytes));
      item.Set("freeBytes", static_cast<double>(device.free_bytes));
      item.Set("capability", device.capability);
      devices.Set(index++, item);
    }
    Napi::Object out = Napi::Object::New(env);
    out.Set("cpuThreads", at::get_num_threads());
    out.Set("residentBytes", resident_bytes());
    out.Set("peakResidentBytes", peak_resident_bytes());
    out.Set("cachedBytes", static_cast<double>(cached_cpu_bytes()));
    out.Set("largeBytes", static_cast<double>(large_bytes_in_use()));
    out.Set("cudaDevices", devices);
    return out;
  });
}

}  // namespace

void export_system_info(Napi::Env env, Napi::Object exports) {
  exports.Set("buildInfo", Napi::Function::New(env, build_info, "buildInfo"));
  exports.Set("systemInfo", Napi::Function::New(env, system_info, "systemInfo"));
}

}  // namespace brain3d::napi
