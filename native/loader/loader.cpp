// The loader addon: opens LibTorch by absolute path before the main addon is required, so that neither an rpath nor
// LD_LIBRARY_PATH is needed. It links nothing but Node-API: it must load where no LibTorch exists, to report that.
// process.dlopen() is no substitute: Node closes a library that registers no module.

#include <dlfcn.h>
#include <link.h>
#include <napi.h>

#include <string>
#include <vector>

namespace {

// open(paths: string[]): void   [sync]
// RTLD_NOW, so that a missing dependency is an error here and not a crash later. RTLD_GLOBAL, because LibTorch's
// libraries share registrations and exception type information with one another and with the main addon.
// The handles are never closed: LibTorch registers destructors that must outlive every use.
Napi::Value Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsArray()) throw Napi::TypeError::New(env, "open: expected an array of paths");
  Napi::Array paths = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < paths.Length(); ++i) {
    Napi::Value item = paths.Get(i);
    std::string path = item.IsString() ? item.As<Napi::String>().Utf8Value() : std::string();
    // A relative name would be searched for in the loader's own path list.
    if (path.empty() || path.front() != '/') {
      throw Napi::TypeError::New(env, "open: expected an absolute path, got '" + path + "'");
    }
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      const char* reason = dlerror();
      throw Napi::Error::New(env, path + ": " + (reason != nullptr ? reason : "unknown dlopen failure"));
    }
  }
  return env.Undefined();
}

// mapped(): string[]   [sync]   paths of the shared objects in this process
Napi::Value Mapped(const Napi::CallbackInfo& info) {
  std::vector<std::string> names;
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* out) {
        if (object->dlpi_name != nullptr && object->dlpi_name[0] != '\0') {
          static_cast<std::vector<std::string>*>(out)->emplace_back(object->dlpi_name);
        }
        return 0;
      },
      &names);
  Napi::Array result = Napi::Array::New(info.Env(), names.size());
  for (size_t i = 0; i < names.size(); ++i) result.Set(static_cast<uint32_t>(i), names[i]);
  return result;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New(env, Open, "open"));
  exports.Set("mapped", Napi::Function::New(env, Mapped, "mapped"));
  return exports;
}

}  // namespace

NODE_API_MODULE(brain3d_loader, Init)
