// SPDX-License-Identifier: MIT
#include "cuda/driver.h"

#include <dlfcn.h>

namespace lockstep {
namespace {

// Never unloaded: the driver has threads and exit handlers of its own.
void* driver_library() {
  static void* const loaded = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return loaded;
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// Initialises the driver. Its own text says little: "unknown error" where a device file is missing.
Result<void> initialise(const CudaDriver& driver) {
  if (const CUresult failed = driver.cuInit(0)) {
    Error error = cuda_error(failed, "start the CUDA driver");
    error.code = Errc::not_supported;
    error.what += "; nvidia-smi tells whether the GPU can be reached";
    return error;
  }
  return {};
}

Result<CudaDriver> load() {
  if (!driver_library()) {
    const char* reason = dlerror();
    return Error{Errc::not_supported, 0,
                 std::string("no CUDA driver: ") +
                     (reason ? reason : "libcuda.so.1 cannot be loaded") +
                     "; it takes NVIDIA's driver"};
  }
  CudaDriver driver;
  std::string missing;
  // In two steps, so that the name that is looked up is the versioned one.
#define LOCKSTEP_CUDA_NAME(name) #name
#define LOCKSTEP_CUDA_FIND(function)                             \
  driver.function = reinterpret_cast<decltype(driver.function)>( \
      dlsym(driver_library(), LOCKSTEP_CUDA_NAME(function)));
#define LOCKSTEP_CUDA_REQUIRE(function) \
  LOCKSTEP_CUDA_FIND(function)          \
  if (!driver.function)                 \
    missing += (missing.empty() ? "" : ", ") + std::string(LOCKSTEP_CUDA_NAME(function));
  LOCKSTEP_CUDA_FUNCTIONS(LOCKSTEP_CUDA_REQUIRE)
  LOCKSTEP_CUDA_OPTIONAL_FUNCTIONS(LOCKSTEP_CUDA_FIND)
#undef LOCKSTEP_CUDA_REQUIRE
#undef LOCKSTEP_CUDA_FIND
#undef LOCKSTEP_CUDA_NAME
  if (!missing.empty())
    return Error{Errc::not_supported, 0,
                 "the CUDA driver is too old, it lacks " + missing +
                     "; this build was made for CUDA " + version_text(CUDA_VERSION)};
  if (auto initialised = initialise(driver); !initialised) return std::move(initialised).error();
  return driver;
}

Result<CudaDriver>& driver_once() {
  static Result<CudaDriver> driver = load();
  return driver;
}

// For messages, where there may be no whole driver yet.
std::string text_of(CUresult result) {
  using GetText = CUresult (*)(CUresult, const char**);
  std::string text = "CUDA error " + std::to_string(result);
  if (!driver_library()) return text;
  for (const char* function : {"cuGetErrorName", "cuGetErrorString"}) {
    const char* part = nullptr;
    const auto get = reinterpret_cast<GetText>(dlsym(driver_library(), function));
    if (get && get(result, &part) == CUDA_SUCCESS && part) text += std::string(", ") + part;
  }
  return text;
}

Errc code_of(CUresult result) {
  switch (result) {
    case CUDA_ERROR_OUT_OF_MEMORY:
      return Errc::out_of_memory;
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_INVALID_DEVICE:
    case CUDA_ERROR_NOT_FOUND:
      return Errc::not_found;
    case CUDA_ERROR_NOT_SUPPORTED:
    case CUDA_ERROR_NO_BINARY_FOR_GPU:
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    case CUDA_ERROR_INVALID_PTX:
    case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
    case CUDA_ERROR_SYSTEM_NOT_READY:
      return Errc::not_supported;
    case CUDA_ERROR_LAUNCH_TIMEOUT:
      return Errc::timed_out;
    case CUDA_ERROR_DEINITIALIZED:
    case CUDA_ERROR_DEVICE_UNAVAILABLE:
    case CUDA_ERROR_INVALID_CONTEXT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_ASSERT:
      return Errc::device_lost;
    default:
      return Errc::io;
  }
}

}  // namespace

void* CudaDriver::find(const char* name) const { return dlsym(driver_library(), name); }

Result<const CudaDriver*> cuda_driver() {
  const Result<CudaDriver>& driver = driver_once();
  if (!driver) return driver.error();
  return &*driver;
}

const CudaDriver& loaded_cuda_driver() { return *driver_once(); }

Error cuda_error(CUresult result, const std::string& act) {
  return Error{code_of(result), static_cast<int>(result), act + ": " + text_of(result),
               ErrorDomain::cuda};
}

}  // namespace lockstep
