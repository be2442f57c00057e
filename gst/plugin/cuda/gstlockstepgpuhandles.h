// SPDX-License-Identifier: MIT
#pragma once

// GStreamer says of its CUDA library that it may change; what we take of it is there since 1.24.
#include <gst/cuda/gstcuda.h>

#include <memory>

#include "lockstep/cuda.h"
#include "lockstep/result.h"

/// What the files of the GPU part share, and nobody else.
namespace lockstep {

/// A GPU as GStreamer's CUDA elements have it: the primary context, and the stream that our memories name.
///
/// One for each GPU and process, for good.
struct Gpu {
  std::shared_ptr<CudaDevice> device;
  GstCudaContext* context = nullptr;
  GstCudaStream* stream = nullptr;

  CUstream stream_handle() const { return gst_cuda_stream_get_handle(stream); }
};

/// \errors  as CudaDevice::open(); not_supported, io  GStreamer's CUDA library finds no driver, or the driver fails.
Result<const Gpu*> open_gpu(int ordinal);
Result<const Gpu*> gpu_of(std::shared_ptr<CudaDevice> device);
/// The GPU that upstream of a pad has its frames on, the first where it does not tell.
Result<const Gpu*> gpu_upstream(GstPad* sink);

}  // namespace lockstep
