// SPDX-License-Identifier: MIT
#pragma once

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <cudaEGL.h>

#include <memory>
#include <string>

#include "cuda/driver.h"
#include "lockstep/cuda.h"
#include "lockstep/result.h"

namespace lockstep {

#define LOCKSTEP_EGL_FUNCTIONS(X)                                                      \
  X(PFNEGLCREATESTREAMKHRPROC, eglCreateStreamKHR)                                     \
  X(PFNEGLCREATESTREAMFROMFILEDESCRIPTORKHRPROC, eglCreateStreamFromFileDescriptorKHR) \
  X(PFNEGLDESTROYSTREAMKHRPROC, eglDestroyStreamKHR)                                   \
  X(PFNEGLGETSTREAMFILEDESCRIPTORKHRPROC, eglGetStreamFileDescriptorKHR)               \
  X(PFNEGLQUERYSTREAMKHRPROC, eglQueryStreamKHR)                                       \
  X(PFNEGLQUERYSTREAMMETADATANVPROC, eglQueryStreamMetadataNV)                         \
  X(PFNEGLQUERYSTREAMU64KHRPROC, eglQueryStreamu64KHR)                                 \
  X(PFNEGLSETSTREAMMETADATANVPROC, eglSetStreamMetadataNV)

#define LOCKSTEP_CUDA_EGL_FUNCTIONS(X) \
  X(cuEGLStreamConsumerAcquireFrame)   \
  X(cuEGLStreamConsumerConnect)        \
  X(cuEGLStreamConsumerDisconnect)     \
  X(cuEGLStreamConsumerReleaseFrame)   \
  X(cuEGLStreamProducerConnect)        \
  X(cuEGLStreamProducerDisconnect)     \
  X(cuEGLStreamProducerPresentFrame)   \
  X(cuEGLStreamProducerReturnFrame)    \
  X(cuGraphicsResourceGetMappedEglFrame)

/// EGL and CUDA's side of it, loaded at run time, with the display of one GPU: EGL through the device platform, without
/// any window system.
///
/// \thread  any.
class Egl {
 public:
  /// The display of that GPU; the same object for all.
  ///
  /// \errors  not_supported  there is no libEGL, no EGL device for the GPU, or it lacks EGLStreams; the text says which and
  ///          what to do.
  static Result<std::shared_ptr<const Egl>> open(std::shared_ptr<CudaDevice> device);

  const std::shared_ptr<CudaDevice>& device() const { return device_; }
  EGLDisplay display() const { return display_; }
  /// EGL_STREAM_STATE_*_KHR of a stream; disconnected where it cannot be asked.
  EGLint state_of(EGLStreamKHR stream) const { return state_of(display_, stream); }
  EGLint state_of(EGLDisplay display, EGLStreamKHR stream) const;
  /// An Error of what EGL last refused in this thread.
  Error error(const std::string& act) const;

#define LOCKSTEP_EGL_MEMBER(type, name) type name = nullptr;
  LOCKSTEP_EGL_FUNCTIONS(LOCKSTEP_EGL_MEMBER)
#undef LOCKSTEP_EGL_MEMBER
#define LOCKSTEP_CUDA_EGL_MEMBER(name) decltype(&::name) name = nullptr;
  LOCKSTEP_CUDA_EGL_FUNCTIONS(LOCKSTEP_CUDA_EGL_MEMBER)
#undef LOCKSTEP_CUDA_EGL_MEMBER

 private:
  Result<void> load();
  Result<void> find_display();

  std::shared_ptr<CudaDevice> device_;
  EGLDisplay display_ = EGL_NO_DISPLAY;
  decltype(&::eglGetError) get_error_ = nullptr;
};

}  // namespace lockstep
