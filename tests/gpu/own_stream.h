// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver.h"
#include "lockstep/eglstream.h"
#include "rig_testing.h"
#include "sensor/eglstream/egl.h"

namespace lockstep {

/// A stream of this process, and CUDA as its producer.
class OwnStream {
 public:
  /// `reuse`: whether acquire may give the last frame again, as is EGL's default.
  OwnStream(std::shared_ptr<const Egl> egl, const Format& format, const std::string& name,
            bool reuse = true)
      : egl_(std::move(egl)), format_(format) {
    constexpr EGLint kSupportReuse = 0x3335;
    EGLint attributes[] = {EGL_STREAM_FIFO_LENGTH_KHR, 4, EGL_NONE, EGL_NONE, EGL_NONE};
    if (!reuse) {
      attributes[2] = kSupportReuse;
      attributes[3] = EGL_FALSE;
    }
    stream_ = egl_->eglCreateStreamKHR(egl_->display(), attributes);
    EXPECT_NE(stream_, EGL_NO_STREAM_KHR);
    EXPECT_TRUE(
        succeeds(offer_egl_stream(name, {egl_->display(), stream_, format, ColourMatrix::bt709})));
    memory_.resize(8);
    CudaScope scope(egl_->device()->context());
    for (CUdeviceptr& one : memory_) loaded_cuda_driver().cuMemAlloc(&one, kPitch * 1080 * 3 / 2);
  }
  ~OwnStream() {
    CudaScope scope(egl_->device()->context());
    if (connected_) egl_->cuEGLStreamProducerDisconnect(&connection_);
    egl_->eglDestroyStreamKHR(egl_->display(), stream_);
    for (CUdeviceptr one : memory_) loaded_cuda_driver().cuMemFree(one);
  }

  bool connect() {
    CudaScope scope(egl_->device()->context());
    connected_ = egl_->cuEGLStreamProducerConnect(&connection_, stream_, int(format_.width),
                                                  int(format_.height)) == CUDA_SUCCESS;
    return connected_;
  }
  bool present(std::uint8_t value, std::uint32_t width, std::uint32_t height) {
    CudaScope scope(egl_->device()->context());
    const CUdeviceptr place = memory_[next_++ % memory_.size()];
    loaded_cuda_driver().cuMemsetD8(place, value, kPitch * height * 3 / 2);
    CUeglFrame frame{};
    frame.frame.pPitch[0] = reinterpret_cast<void*>(place);
    frame.frame.pPitch[1] = reinterpret_cast<void*>(place + kPitch * height);
    frame.width = width;
    frame.height = height;
    frame.pitch = kPitch;
    frame.planeCount = 2;
    frame.numChannels = 1;
    frame.frameType = CU_EGL_FRAME_TYPE_PITCH;
    frame.eglColorFormat = CU_EGL_COLOR_FORMAT_YUV420_SEMIPLANAR_709;
    frame.cuFormat = CU_AD_FORMAT_UNSIGNED_INT8;
    CUstream stream = nullptr;
    CUeglFrame back{};
    if (next_ > 6) egl_->cuEGLStreamProducerReturnFrame(&connection_, &back, &stream);
    return egl_->cuEGLStreamProducerPresentFrame(&connection_, frame, &stream) == CUDA_SUCCESS;
  }

 private:
  static constexpr std::size_t kPitch = 2048;
  std::shared_ptr<const Egl> egl_;
  Format format_;
  EGLStreamKHR stream_ = EGL_NO_STREAM_KHR;
  CUeglStreamConnection connection_{};
  bool connected_ = false;
  std::vector<CUdeviceptr> memory_;
  std::size_t next_ = 0;
};

}  // namespace lockstep
