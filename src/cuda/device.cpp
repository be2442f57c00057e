// SPDX-License-Identifier: MIT
#include <array>
#include <map>
#include <utility>

#include "cuda/driver.h"
#include "lockstep/cuda.h"
#include "support/mutex.h"

namespace lockstep {
namespace {

std::string gpu_text(int ordinal) { return "GPU " + std::to_string(ordinal); }

Result<CUdevice> device_of(const CudaDriver& driver, int ordinal) {
  int count = 0;
  if (const CUresult failed = driver.cuDeviceGetCount(&count))
    return cuda_error(failed, "count the GPUs");
  if (ordinal < 0 || ordinal >= count)
    return Error{Errc::not_found, 0,
                 "no " + gpu_text(ordinal) + "; there " +
                     (count == 1 ? "is 1" : "are " + std::to_string(count)) + ", counted from 0"};
  CUdevice device = 0;
  if (const CUresult failed = driver.cuDeviceGet(&device, ordinal))
    return cuda_error(failed, "find " + gpu_text(ordinal));
  return device;
}

}  // namespace

CudaDevice::CudaDevice(int ordinal, CUcontext context, std::string name)
    : ordinal_(ordinal), context_(context), name_(std::move(name)) {}

Result<std::shared_ptr<CudaDevice>> CudaDevice::open(int ordinal) {
  auto driver = cuda_driver();
  if (!driver) return std::move(driver).error();
  auto device = device_of(**driver, ordinal);
  if (!device) return std::move(device).error();

  static Mutex mutex;
  static std::map<int, std::weak_ptr<CudaDevice>> open_devices;
  MutexLock lock(mutex);
  std::weak_ptr<CudaDevice>& known = open_devices[ordinal];
  if (auto shared = known.lock()) return shared;
  std::array<char, 256> name{};
  (*driver)->cuDeviceGetName(name.data(), name.size() - 1, *device);
  CUcontext context = nullptr;
  if (const CUresult failed = (*driver)->cuDevicePrimaryCtxRetain(&context, *device))
    return cuda_error(failed, "make a context on " + gpu_text(ordinal));
  std::shared_ptr<CudaDevice> opened(new CudaDevice(ordinal, context, name.data()));
  known = opened;
  return opened;
}

CudaDevice::~CudaDevice() {
  const CudaDriver& driver = loaded_cuda_driver();
  CUdevice device = 0;
  if (driver.cuDeviceGet(&device, ordinal_) == CUDA_SUCCESS)
    driver.cuDevicePrimaryCtxRelease(device);
}

std::size_t CudaDevice::free_bytes() const {
  CudaScope scope(context_);
  std::size_t free = 0;
  std::size_t total = 0;
  loaded_cuda_driver().cuMemGetInfo(&free, &total);
  return free;
}

CudaStream::CudaStream(std::shared_ptr<CudaDevice> device, CUstream stream)
    : device_(std::move(device)), stream_(stream) {}

Result<CudaStream> CudaStream::make(std::shared_ptr<CudaDevice> device) {
  CudaScope scope(device->context());
  CUstream stream = nullptr;
  if (const CUresult failed = loaded_cuda_driver().cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING))
    return cuda_error(failed, "make a stream on " + device->name());
  return CudaStream(std::move(device), stream);
}

CudaStream::CudaStream(CudaStream&& other) noexcept
    : device_(std::move(other.device_)), stream_(std::exchange(other.stream_, nullptr)) {}

CudaStream::~CudaStream() {
  if (!stream_) return;
  CudaScope scope(device_->context());
  loaded_cuda_driver().cuStreamDestroy(stream_);
}

Result<void> CudaStream::synchronise() const {
  CudaScope scope(device_->context());
  if (const CUresult failed = loaded_cuda_driver().cuStreamSynchronize(stream_))
    return cuda_error(failed, "wait for work on " + device_->name());
  return {};
}

}  // namespace lockstep
