// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>

#include "lockstep/frame.h"
#include "sensor/eglstream/egl.h"
#include "sensor/eglstream/link.h"
#include "support/mutex.h"
#include "support/unique_fd.h"

namespace lockstep {

/// CUDA as the consumer of one EGLStream. Frames are held as long as anybody wants; the stream goes with the last of them.
///
/// \thread  acquire() one caller at a time; frames are dropped on any thread.
class EglConsumer : public std::enable_shared_from_this<EglConsumer> {
 public:
  /// A stream of our own making, of which `handle` is to be given to the producer.
  struct Made {
    std::shared_ptr<EglConsumer> consumer;
    UniqueFd handle;
  };
  /// `fifo` frames may wait in it, and be held besides.
  /// \errors  not_supported, io, out_of_memory  EGL or CUDA refuses.
  static Result<Made> make(std::shared_ptr<const Egl> egl, int fifo);
  /// A stream that the program made and keeps.
  static Result<std::shared_ptr<EglConsumer>> connect(std::shared_ptr<const Egl> egl,
                                                      EGLDisplay display, EGLStreamKHR stream);

  ~EglConsumer();
  EglConsumer(const EglConsumer&) = delete;
  EglConsumer& operator=(const EglConsumer&) = delete;

  struct Acquired {
    CUeglFrame frame;
    EglFrameMetadata metadata;  ///< As the stream has it; see info_of().
    std::shared_ptr<const Pixels> pixels;
  };
  /// The next frame, waiting for it up to `timeout`; nothing if none comes, however long the first one takes. Frames that
  /// the stream repeats are left out. The host does not wait for a frame's pixels: its fence does.
  ///
  /// \errors  device_lost  the producer has gone; frames that are held stay readable.
  Result<std::optional<Acquired>> acquire(Nanoseconds timeout);

 private:
  struct Loan;

  EglConsumer(std::shared_ptr<const Egl> egl, EGLDisplay display, EGLStreamKHR stream, bool owned,
              CudaStream acquire_stream, CudaStream release_stream);
  static Result<std::shared_ptr<EglConsumer>> connect(std::shared_ptr<const Egl> egl,
                                                      EGLDisplay display, EGLStreamKHR stream,
                                                      bool owned);
  void release(CUgraphicsResource resource, const CudaFence& fence);
  bool has_producer();
  bool is_repeated();

  std::shared_ptr<const Egl> egl_;
  EGLDisplay display_;
  EGLStreamKHR stream_;
  bool owned_;
  bool connected_ = false;
  bool has_producer_ = false;     // seen, by whoever acquires
  bool has_metadata_ = true;      // until it turns out that the stream has none; likewise
  bool may_repeat_ = false;       // EGL_SUPPORT_REUSE_NV
  std::uint64_t last_frame_ = 0;  // EGL_CONSUMER_FRAME_KHR, of whoever acquires
  CUeglStreamConnection connection_{};
  CudaStream acquire_stream_;
  Mutex release_mutex_;  // one release at a time
  CudaStream release_stream_;
};

}  // namespace lockstep
