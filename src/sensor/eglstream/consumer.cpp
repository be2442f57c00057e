// SPDX-License-Identifier: MIT
// What was seen of EGLStreams between CUDA and CUDA (driver 580.159, H100): frames may be released in any thread while another
// waits in acquire; a producer that dies leaves the stream disconnected, frames that are held stay readable, and acquire waits
// its time out before it says so; before the producer has connected acquire fails at once; a picture of another size simply
// arrives; memory of cuMemCreate() cannot be presented.
//
// When no frame came in time, acquire answers CUDA_ERROR_LAUNCH_TIMEOUT. A stream that may repeat its frames, as is EGL's
// default (EGL_SUPPORT_REUSE_NV), answers CUDA_ERROR_UNKNOWN instead while there is nothing to repeat: no frame yet, or the
// last one still held; else it gives that frame once more. Others answer CUDA_ERROR_UNKNOWN once in a while too, while all of
// their frames are held. So only the stream's state says that the producer has gone.
#include "sensor/eglstream/consumer.h"

#include <thread>
#include <utility>

namespace lockstep {
namespace {

// EGL_NV_stream_reset and its like name it; the number is NVIDIA's own (EGL_SUPPORT_REUSE_NV).
constexpr EGLint kSupportReuse = 0x3335;

Error gone() { return Error{Errc::device_lost, 0, "the producer of the EGLStream has gone"}; }

bool is_nothing_yet(CUresult failed) {
  return failed == CUDA_ERROR_LAUNCH_TIMEOUT || failed == CUDA_ERROR_UNKNOWN;
}

}  // namespace

// One frame that somebody holds.
struct EglConsumer::Loan {
  Loan(std::shared_ptr<EglConsumer> from, CUgraphicsResource what, const CUeglFrame& frame)
      : consumer(std::move(from)), resource(what) {
    cuda.device = consumer->egl_->device();
    cuda.are_arrays = frame.frameType == CU_EGL_FRAME_TYPE_ARRAY;
    cuda.fence = std::make_shared<CudaFence>(cuda.device);
    for (unsigned p = 0; p < std::min<unsigned>(frame.planeCount, kMaxPlanes); ++p)
      cuda.planes[p] = cuda.are_arrays ? reinterpret_cast<std::uintptr_t>(frame.frame.pArray[p])
                                       : reinterpret_cast<std::uintptr_t>(frame.frame.pPitch[p]);
    pixels.cuda = &cuda;
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() { consumer->release(resource, *cuda.fence); }

  std::shared_ptr<EglConsumer> consumer;
  CUgraphicsResource resource;
  CudaPixels cuda;
  Pixels pixels;
};

EglConsumer::EglConsumer(std::shared_ptr<const Egl> egl, EGLDisplay display, EGLStreamKHR stream,
                         bool owned, CudaStream acquire_stream, CudaStream release_stream)
    : egl_(std::move(egl)),
      display_(display),
      stream_(stream),
      owned_(owned),
      acquire_stream_(std::move(acquire_stream)),
      release_stream_(std::move(release_stream)) {}

Result<std::shared_ptr<EglConsumer>> EglConsumer::connect(std::shared_ptr<const Egl> egl,
                                                          EGLDisplay display, EGLStreamKHR stream,
                                                          bool owned) {
  auto acquire_stream = CudaStream::make(egl->device());
  auto release_stream = CudaStream::make(egl->device());
  if (!acquire_stream || !release_stream) {
    if (owned) egl->eglDestroyStreamKHR(display, stream);
    return acquire_stream ? release_stream.error() : acquire_stream.error();
  }
  // Owns the stream from here on.
  std::shared_ptr<EglConsumer> consumer(new EglConsumer(std::move(egl), display, stream, owned,
                                                        *std::move(acquire_stream),
                                                        *std::move(release_stream)));
  CudaScope scope(consumer->egl_->device()->context());
  if (const CUresult failed =
          consumer->egl_->cuEGLStreamConsumerConnect(&consumer->connection_, stream))
    return cuda_error(failed, "connect CUDA to an EGLStream as its consumer");
  consumer->connected_ = true;
  EGLint may_repeat = EGL_TRUE;  // EGL's default
  consumer->egl_->eglQueryStreamKHR(display, stream, kSupportReuse, &may_repeat);
  consumer->may_repeat_ = may_repeat != EGL_FALSE;
  return consumer;
}

Result<std::shared_ptr<EglConsumer>> EglConsumer::connect(std::shared_ptr<const Egl> egl,
                                                          EGLDisplay display, EGLStreamKHR stream) {
  return connect(std::move(egl), display, stream, false);
}

Result<EglConsumer::Made> EglConsumer::make(std::shared_ptr<const Egl> egl, int fifo) {
  const EGLint attributes[] = {EGL_STREAM_FIFO_LENGTH_KHR,
                               fifo,
                               EGL_METADATA0_SIZE_NV,
                               sizeof(EglFrameMetadata),
                               EGL_METADATA0_TYPE_NV,
                               EglFrameMetadata::kType,
                               kSupportReuse,
                               EGL_FALSE,
                               EGL_NONE};
  const EGLDisplay display = egl->display();
  const EGLStreamKHR stream = egl->eglCreateStreamKHR(display, attributes);
  if (stream == EGL_NO_STREAM_KHR)
    return egl->error("make an EGLStream with a FIFO of " + std::to_string(fifo) + " frames");
  Made made;
  // Before anybody connects: EGL_KHR_stream_cross_process_fd allows no later.
  made.handle = UniqueFd(egl->eglGetStreamFileDescriptorKHR(display, stream));
  if (!made.handle) {
    Error error = egl->error("get the fd of an EGLStream");
    egl->eglDestroyStreamKHR(display, stream);
    return error;
  }
  auto consumer = connect(std::move(egl), display, stream, true);
  if (!consumer) return std::move(consumer).error();
  made.consumer = *std::move(consumer);
  return made;
}

EglConsumer::~EglConsumer() {
  {
    CudaScope scope(egl_->device()->context());
    if (connected_) egl_->cuEGLStreamConsumerDisconnect(&connection_);
  }
  if (owned_) egl_->eglDestroyStreamKHR(display_, stream_);
}

// Whether there may be frames: acquire needs a producer.
bool EglConsumer::has_producer() {
  if (has_producer_) return true;
  const EGLint state = egl_->state_of(display_, stream_);
  has_producer_ = state != EGL_STREAM_STATE_CONNECTING_KHR && state != EGL_STREAM_STATE_CREATED_KHR;
  return has_producer_;
}

// Whether the frame that was acquired is the one before once more.
bool EglConsumer::is_repeated() {
  if (!may_repeat_) return false;
  EGLuint64KHR number = 0;
  if (!egl_->eglQueryStreamu64KHR(display_, stream_, EGL_CONSUMER_FRAME_KHR, &number)) return false;
  return std::exchange(last_frame_, number) == number;
}

Result<std::optional<EglConsumer::Acquired>> EglConsumer::acquire(Nanoseconds timeout) {
  const auto nothing_for = [](Nanoseconds time) {
    std::this_thread::sleep_for(std::min<Nanoseconds>(time, std::chrono::milliseconds(1)));
    return std::optional<Acquired>();
  };
  if (!has_producer()) return nothing_for(timeout);
  CudaScope scope(egl_->device()->context());
  const Nanoseconds begin = monotonic_now();
  CUgraphicsResource resource = nullptr;
  CUstream stream = acquire_stream_.get();
  const CUresult failed = egl_->cuEGLStreamConsumerAcquireFrame(
      &connection_, &resource, &stream,
      static_cast<unsigned>(timeout / std::chrono::microseconds(1)));
  if (failed) {
    if (egl_->state_of(display_, stream_) == EGL_STREAM_STATE_DISCONNECTED_KHR) return gone();
    // Where it did not wait, it might fail again and again.
    if (is_nothing_yet(failed)) return nothing_for(begin + timeout - monotonic_now());
    Error error = cuda_error(failed, "take a frame from an EGLStream");
    error.code = Errc::device_lost;
    return error;
  }
  Acquired acquired{};
  CUeglFrame& frame = acquired.frame;
  const CUresult unmapped = egl_->cuGraphicsResourceGetMappedEglFrame(&frame, resource, 0, 0);
  auto loan = std::make_shared<Loan>(shared_from_this(), resource, frame);
  if (unmapped) return cuda_error(unmapped, "look at a frame of an EGLStream");
  if (is_repeated()) return std::optional<Acquired>();  // and given back
  loan->cuda.fence->was_written_by(stream, shared_from_this());
  if (has_metadata_)
    has_metadata_ = egl_->eglQueryStreamMetadataNV(display_, stream_, EGL_CONSUMER_METADATA_NV, 0,
                                                   0, sizeof acquired.metadata, &acquired.metadata);
  acquired.pixels = std::shared_ptr<const Pixels>(loan, &loan->pixels);
  return std::optional<Acquired>(std::move(acquired));
}

void EglConsumer::release(CUgraphicsResource resource, const CudaFence& fence) {
  MutexLock lock(release_mutex_);
  CudaScope scope(egl_->device()->context());
  CUstream stream = release_stream_.get();
  // Fails only where the context is broken, and then nobody reads any more.
  (void)fence.after_reading(stream);
  (void)egl_->cuEGLStreamConsumerReleaseFrame(&connection_, resource, &stream);
}

}  // namespace lockstep
