// SPDX-License-Identifier: MIT
#pragma once

#include <cuda.h>

#include <string>

#include "lockstep/result.h"

namespace lockstep {

// Every function of the driver that we call. The headers define most of these names as those of versions, as in
// cuMemAlloc_v2; what is looked up in the driver is what they make of the name, so that it fits what they declare.
#define LOCKSTEP_CUDA_FUNCTIONS(X)  \
  X(cuArray3DCreate)                \
  X(cuArrayDestroy)                 \
  X(cuArrayGetDescriptor)           \
  X(cuCtxPopCurrent)                \
  X(cuCtxPushCurrent)               \
  X(cuCtxSynchronize)               \
  X(cuDeviceGet)                    \
  X(cuDeviceGetAttribute)           \
  X(cuDeviceGetCount)               \
  X(cuDeviceGetName)                \
  X(cuDevicePrimaryCtxRelease)      \
  X(cuDevicePrimaryCtxRetain)       \
  X(cuDriverGetVersion)             \
  X(cuEventCreate)                  \
  X(cuEventDestroy)                 \
  X(cuEventQuery)                   \
  X(cuEventRecord)                  \
  X(cuEventSynchronize)             \
  X(cuGetErrorName)                 \
  X(cuGetErrorString)               \
  X(cuInit)                         \
  X(cuLaunchKernel)                 \
  X(cuMemAddressFree)               \
  X(cuMemAddressReserve)            \
  X(cuMemAlloc)                     \
  X(cuMemAllocPitch)                \
  X(cuMemCreate)                    \
  X(cuMemExportToShareableHandle)   \
  X(cuMemFree)                      \
  X(cuMemGetAllocationGranularity)  \
  X(cuMemGetInfo)                   \
  X(cuMemImportFromShareableHandle) \
  X(cuMemMap)                       \
  X(cuMemRelease)                   \
  X(cuMemSetAccess)                 \
  X(cuMemUnmap)                     \
  X(cuMemcpy2D)                     \
  X(cuMemcpy2DAsync)                \
  X(cuMemcpyDtoDAsync)              \
  X(cuMemcpyDtoH)                   \
  X(cuMemcpyHtoD)                   \
  X(cuMemcpyHtoDAsync)              \
  X(cuMemsetD8)                     \
  X(cuMemsetD8Async)                \
  X(cuModuleGetFunction)            \
  X(cuModuleLoadDataEx)             \
  X(cuModuleUnload)                 \
  X(cuStreamCreate)                 \
  X(cuStreamDestroy)                \
  X(cuStreamSynchronize)            \
  X(cuStreamWaitEvent)              \
  X(cuTexObjectCreate)              \
  X(cuTexObjectDestroy)

// Those that a driver may lack: null then.
#define LOCKSTEP_CUDA_OPTIONAL_FUNCTIONS(X) X(cuEventElapsedTime) X(cuMemGetHandleForAddressRange)

/// The CUDA driver, loaded at run time: nothing links to it.
struct CudaDriver {
#define LOCKSTEP_CUDA_MEMBER(name) decltype(&::name) name = nullptr;
  LOCKSTEP_CUDA_FUNCTIONS(LOCKSTEP_CUDA_MEMBER)
  LOCKSTEP_CUDA_OPTIONAL_FUNCTIONS(LOCKSTEP_CUDA_MEMBER)
#undef LOCKSTEP_CUDA_MEMBER

  /// Any other function, such as those of EGLStreams; null where the driver lacks it.
  void* find(const char* name) const;
};

/// The driver, loaded and initialised when it is first asked for.
///
/// \errors  not_supported  there is no driver, it lacks a function, or it finds no GPU that it can use; the text says which.
/// \thread  any.
Result<const CudaDriver*> cuda_driver();

/// The same where a CudaDevice is at hand, which proves that there is one.
const CudaDriver& loaded_cuda_driver();

/// An Error of what the driver answered to `act`. Out of memory: out_of_memory; no such device: not_found; a context that is
/// broken or gone: device_lost; not supported by this GPU, driver or image: not_supported; anything else: io.
/// Error::os_error is the CUresult, in its domain.
Error cuda_error(CUresult result, const std::string& act);

/// Makes a context current for a scope.
class CudaScope {
 public:
  explicit CudaScope(CUcontext context) { loaded_cuda_driver().cuCtxPushCurrent(context); }
  ~CudaScope() {
    CUcontext ignored = nullptr;
    loaded_cuda_driver().cuCtxPopCurrent(&ignored);
  }
  CudaScope(const CudaScope&) = delete;
  CudaScope& operator=(const CudaScope&) = delete;
};

}  // namespace lockstep
