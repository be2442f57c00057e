// SPDX-License-Identifier: MIT
#include "sensor/eglstream/egl.h"

#include <dlfcn.h>

#include <array>
#include <map>
#include <string_view>

#include "support/mutex.h"

namespace lockstep {
namespace {

constexpr const char* kVendorHint =
    "; set __EGL_VENDOR_LIBRARY_FILENAMES to the 10_nvidia.json of NVIDIA's driver";

void* egl_library() {
  static void* const loaded = dlopen("libEGL.so.1", RTLD_NOW | RTLD_LOCAL);
  return loaded;
}

template <typename Function>
Function function_of(const char* name) {
  return reinterpret_cast<Function>(dlsym(egl_library(), name));
}

template <typename Function>
Function extension_of(const char* name) {
  const auto get = function_of<decltype(&::eglGetProcAddress)>("eglGetProcAddress");
  return get ? reinterpret_cast<Function>(get(name)) : nullptr;
}

Error not_supported(std::string what) { return Error{Errc::not_supported, 0, std::move(what)}; }

}  // namespace

Result<std::shared_ptr<const Egl>> Egl::open(std::shared_ptr<CudaDevice> device) {
  static Mutex mutex;
  static std::map<int, std::weak_ptr<const Egl>> displays;
  MutexLock lock(mutex);
  std::weak_ptr<const Egl>& known = displays[device->ordinal()];
  if (auto shared = known.lock()) return shared;
  auto egl = std::make_shared<Egl>();
  egl->device_ = std::move(device);
  if (auto loaded = egl->load(); !loaded) return std::move(loaded).error();
  if (auto found = egl->find_display(); !found) return std::move(found).error();
  std::shared_ptr<const Egl> opened = egl;
  known = opened;
  return opened;
}

Result<void> Egl::load() {
  if (!egl_library()) {
    const char* reason = dlerror();
    return not_supported(std::string("no EGL: ") +
                         (reason ? reason : "libEGL.so.1 cannot be loaded") +
                         "; install it (libegl1) beside NVIDIA's driver");
  }
  get_error_ = function_of<decltype(&::eglGetError)>("eglGetError");
  std::string missing;
  const auto require = [&missing](const void* function, const char* name) {
    if (!function) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
#define LOCKSTEP_EGL_FIND(type, name) \
  name = extension_of<type>(#name);   \
  require(reinterpret_cast<const void*>(name), #name);
  LOCKSTEP_EGL_FUNCTIONS(LOCKSTEP_EGL_FIND)
#undef LOCKSTEP_EGL_FIND
#define LOCKSTEP_CUDA_EGL_FIND(name)                                         \
  name = reinterpret_cast<decltype(name)>(loaded_cuda_driver().find(#name)); \
  require(reinterpret_cast<const void*>(name), #name);
  LOCKSTEP_CUDA_EGL_FUNCTIONS(LOCKSTEP_CUDA_EGL_FIND)
#undef LOCKSTEP_CUDA_EGL_FIND
  if (missing.empty()) return {};
  return not_supported("no EGLStreams with CUDA here, the driver lacks " + missing + kVendorHint);
}

// That of the GPU by EGL_CUDA_DEVICE_NV (EGL_NV_device_cuda).
Result<void> Egl::find_display() {
  const auto query_devices = extension_of<PFNEGLQUERYDEVICESEXTPROC>("eglQueryDevicesEXT");
  const auto query_attribute =
      extension_of<PFNEGLQUERYDEVICEATTRIBEXTPROC>("eglQueryDeviceAttribEXT");
  const auto get_display =
      extension_of<PFNEGLGETPLATFORMDISPLAYEXTPROC>("eglGetPlatformDisplayEXT");
  const auto initialise = function_of<decltype(&::eglInitialize)>("eglInitialize");
  const auto query_string = function_of<decltype(&::eglQueryString)>("eglQueryString");
  std::array<EGLDeviceEXT, 64> devices{};
  EGLint count = 0;
  if (!query_devices || !query_attribute || !get_display || !initialise || !query_string ||
      !query_devices(devices.size(), devices.data(), &count) || count < 1)
    return not_supported(std::string("no EGL device") + kVendorHint);
  for (EGLint i = 0; i < count; ++i) {
    EGLAttrib gpu = -1;
    if (!query_attribute(devices[static_cast<std::size_t>(i)], EGL_CUDA_DEVICE_NV, &gpu) ||
        gpu != device_->ordinal())
      continue;
    display_ = get_display(EGL_PLATFORM_DEVICE_EXT, devices[static_cast<std::size_t>(i)], nullptr);
    if (display_ == EGL_NO_DISPLAY || !initialise(display_, nullptr, nullptr))
      return error("open the EGL device of " + device_->name());
    const char* extensions = query_string(display_, EGL_EXTENSIONS);
    const std::string_view all = extensions ? extensions : "";
    for (const char* needed : {"EGL_KHR_stream_fifo", "EGL_KHR_stream_cross_process_fd",
                               "EGL_NV_stream_metadata", "EGL_KHR_stream"})
      if (all.find(needed) == all.npos)
        return not_supported("the EGL of " + device_->name() + " lacks " + needed);
    return {};
  }
  return not_supported("no EGL device for " + device_->name() + " among " + std::to_string(count) +
                       kVendorHint);
}

EGLint Egl::state_of(EGLDisplay display, EGLStreamKHR stream) const {
  EGLint state = EGL_STREAM_STATE_DISCONNECTED_KHR;
  if (!eglQueryStreamKHR(display, stream, EGL_STREAM_STATE_KHR, &state))
    return EGL_STREAM_STATE_DISCONNECTED_KHR;
  return state;
}

Error Egl::error(const std::string& act) const {
  const EGLint code = get_error_ ? get_error_() : EGL_SUCCESS;
  Errc kind = Errc::io;
  if (code == EGL_BAD_ALLOC) kind = Errc::out_of_memory;
  if (code == EGL_BAD_STREAM_KHR || code == EGL_BAD_STATE_KHR || code == EGL_BAD_ATTRIBUTE ||
      code == EGL_BAD_PARAMETER || code == EGL_BAD_MATCH)
    kind = Errc::not_supported;
  Error error{kind, code, act + ": ", ErrorDomain::egl};
  error.what += number_text(error);
  return error;
}

}  // namespace lockstep
