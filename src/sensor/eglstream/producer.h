// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lockstep/format.h"
#include "lockstep/memory.h"
#include "sensor/eglstream/egl.h"
#include "sensor/eglstream/link.h"
#include "support/unique_fd.h"

namespace lockstep {

/// CUDA as the producer of one EGLStream that a consumer made: puts pictures of the CPU's memory into buffers of its own on
/// the GPU and presents them.
///
/// \thread  one caller at a time.
class EglProducer {
 public:
  /// `handle` is the fd that the consumer sent.
  /// \errors  not_supported  it is no stream.
  static Result<std::unique_ptr<EglProducer>> make(std::shared_ptr<const Egl> egl,
                                                   const UniqueFd& handle,
                                                   const EglGreeting& greeting, bool arrays);
  /// Of a stream of this process, which the caller keeps.
  static Result<std::unique_ptr<EglProducer>> connect(std::shared_ptr<const Egl> egl,
                                                      EGLStreamKHR stream,
                                                      const EglGreeting& greeting, bool arrays);
  ~EglProducer();
  EglProducer(const EglProducer&) = delete;
  EglProducer& operator=(const EglProducer&) = delete;

  /// Whether the consumer has gone.
  bool is_disconnected() const;

  /// Presents one picture; false where the consumer holds every buffer. Returns once `pixels` may be written to again.
  /// \errors  device_lost  the consumer has gone, or the GPU failed.
  Result<bool> present(const std::byte* pixels, const Layout& layout,
                       const EglFrameMetadata& metadata);

 private:
  struct Buffer;

  EglProducer(std::shared_ptr<const Egl> egl, CudaStream stream);
  Result<void> connect(EGLStreamKHR stream, const EglGreeting& greeting);
  Result<void> add_buffer();
  Result<void> allocate_plane(Buffer& buffer, std::size_t plane);
  void take_back();
  Result<void> upload(const Buffer& buffer, const std::byte* pixels, const Layout& layout);

  std::shared_ptr<const Egl> egl_;
  CudaStream cuda_stream_;
  EGLStreamKHR stream_ = EGL_NO_STREAM_KHR;
  bool owned_ = false;  // the stream
  CUeglStreamConnection connection_{};
  bool connected_ = false;
  bool arrays_ = false;
  std::size_t most_buffers_ = 0;
  CUeglColorFormat colour_format_ = CU_EGL_COLOR_FORMAT_MAX;
  Format format_;
  Layout layout_;  // of the format, as rows and bytes
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace lockstep
