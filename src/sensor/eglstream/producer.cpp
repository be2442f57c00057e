// SPDX-License-Identifier: MIT
#include "sensor/eglstream/producer.h"

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

std::size_t channels_of(PixelFormat format, std::size_t plane) {
  switch (format) {
    case PixelFormat::nv12:
    case PixelFormat::p010_10le:
      return plane == 0 ? 1 : 2;
    case PixelFormat::bgrx:
    case PixelFormat::rgba:
      return 4;
    case PixelFormat::i420:
    case PixelFormat::yuy2:
    case PixelFormat::uyvy:
    case PixelFormat::rgb:
    case PixelFormat::gray8:
      return 1;
  }
  return 1;
}

CUarray_format sample_of(PixelFormat format) {
  return format == PixelFormat::p010_10le ? CU_AD_FORMAT_UNSIGNED_INT16
                                          : CU_AD_FORMAT_UNSIGNED_INT8;
}

std::size_t sample_bytes(PixelFormat format) { return format == PixelFormat::p010_10le ? 2 : 1; }

// Rows begin at multiples of this, as the GPU likes it.
constexpr std::size_t kPitch = 256;

}  // namespace

// One picture on the GPU: memory for all planes, or an array each.
struct EglProducer::Buffer {
  explicit Buffer(CUcontext on) : context(on) {}
  ~Buffer() {
    CudaScope scope(context);
    const CudaDriver& driver = loaded_cuda_driver();
    if (memory) driver.cuMemFree(memory);
    for (CUarray array : arrays)
      if (array) driver.cuArrayDestroy(array);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  CUcontext context;
  CUdeviceptr memory = 0;
  std::array<CUarray, kMaxPlanes> arrays{};
  CUeglFrame frame{};
  bool presented = false;
};

EglProducer::EglProducer(std::shared_ptr<const Egl> egl, CudaStream stream)
    : egl_(std::move(egl)), cuda_stream_(std::move(stream)) {}

Result<std::unique_ptr<EglProducer>> EglProducer::make(std::shared_ptr<const Egl> egl,
                                                       const UniqueFd& handle,
                                                       const EglGreeting& greeting, bool arrays) {
  if (!handle) return Error{Errc::not_supported, 0, "take a stream: no fd came with the request"};
  const EGLDisplay display = egl->display();
  const EGLStreamKHR stream = egl->eglCreateStreamFromFileDescriptorKHR(display, handle.get());
  if (stream == EGL_NO_STREAM_KHR) {
    Error error = egl->error("take the fd that came as an EGLStream");
    error.code = Errc::not_supported;
    return error;
  }
  auto producer = connect(egl, stream, greeting, arrays);
  if (producer)
    (*producer)->owned_ = true;
  else
    egl->eglDestroyStreamKHR(display, stream);
  return producer;
}

Result<std::unique_ptr<EglProducer>> EglProducer::connect(std::shared_ptr<const Egl> egl,
                                                          EGLStreamKHR stream,
                                                          const EglGreeting& greeting,
                                                          bool arrays) {
  auto cuda_stream = CudaStream::make(egl->device());
  if (!cuda_stream) return std::move(cuda_stream).error();
  std::unique_ptr<EglProducer> producer(new EglProducer(std::move(egl), *std::move(cuda_stream)));
  producer->arrays_ = arrays;
  if (auto connected = producer->connect(stream, greeting); !connected)
    return std::move(connected).error();
  return producer;
}

Result<void> EglProducer::connect(EGLStreamKHR stream, const EglGreeting& greeting) {
  stream_ = stream;
  format_ = greeting.format;
  auto layout = default_layout(format_.pixel_format, format_.width, format_.height);
  if (!layout) return std::move(layout).error();
  layout_ = *layout;
  colour_format_ = egl_format_of(greeting.colour).value_or(CU_EGL_COLOR_FORMAT_MAX);
  EGLint fifo = 1;
  egl_->eglQueryStreamKHR(egl_->display(), stream_, EGL_STREAM_FIFO_LENGTH_KHR, &fifo);
  // As many as may wait and be held, one to fill, and one that is on its way back.
  most_buffers_ = static_cast<std::size_t>(std::clamp<EGLint>(fifo, 1, 64)) * 2 + 2;
  CudaScope scope(egl_->device()->context());
  if (const CUresult failed = egl_->cuEGLStreamProducerConnect(&connection_, stream_,
                                                               static_cast<EGLint>(format_.width),
                                                               static_cast<EGLint>(format_.height)))
    return cuda_error(failed, "connect CUDA to an EGLStream as its producer");
  connected_ = true;
  return {};
}

EglProducer::~EglProducer() {
  {
    CudaScope scope(egl_->device()->context());
    if (connected_) egl_->cuEGLStreamProducerDisconnect(&connection_);
  }
  if (owned_) egl_->eglDestroyStreamKHR(egl_->display(), stream_);
}

bool EglProducer::is_disconnected() const {
  return egl_->state_of(stream_) == EGL_STREAM_STATE_DISCONNECTED_KHR;
}

Result<void> EglProducer::allocate_plane(Buffer& buffer, std::size_t p) {
  const Plane& plane = layout_.planes[p];
  const std::size_t channels = channels_of(format_.pixel_format, p);
  CUDA_ARRAY3D_DESCRIPTOR wanted{};
  wanted.Width = plane.row_bytes / channels / sample_bytes(format_.pixel_format);
  wanted.Height = plane.rows;
  wanted.Format = sample_of(format_.pixel_format);
  wanted.NumChannels = static_cast<unsigned>(channels);
  if (const CUresult failed = loaded_cuda_driver().cuArray3DCreate(&buffer.arrays[p], &wanted))
    return cuda_error(failed, "make a CUDA array for a plane");
  buffer.frame.frame.pArray[p] = buffer.arrays[p];
  return {};
}

Result<void> EglProducer::add_buffer() {
  auto buffer = std::make_unique<Buffer>(egl_->device()->context());
  CUeglFrame& frame = buffer->frame;
  frame.width = format_.width;
  frame.height = format_.height;
  frame.planeCount = static_cast<unsigned>(layout_.num_planes);
  frame.numChannels = static_cast<unsigned>(channels_of(format_.pixel_format, 0));
  frame.cuFormat = sample_of(format_.pixel_format);
  frame.eglColorFormat = colour_format_;
  const std::size_t pitch = (layout_.planes[0].row_bytes + kPitch - 1) / kPitch * kPitch;
  frame.pitch = static_cast<unsigned>(pitch);
  if (arrays_) {
    frame.frameType = CU_EGL_FRAME_TYPE_ARRAY;
    for (std::size_t p = 0; p < layout_.num_planes; ++p)
      if (auto allocated = allocate_plane(*buffer, p); !allocated) return allocated;
  } else {
    frame.frameType = CU_EGL_FRAME_TYPE_PITCH;
    std::size_t rows = 0;
    for (std::size_t p = 0; p < layout_.num_planes; ++p) rows += layout_.planes[p].rows;
    // Not by cuMemCreate(): such memory cannot be presented.
    if (const CUresult failed = loaded_cuda_driver().cuMemAlloc(&buffer->memory, rows * pitch))
      return cuda_error(failed, "allocate a frame on " + egl_->device()->name());
    std::size_t before = 0;
    for (std::size_t p = 0; p < layout_.num_planes; ++p) {
      frame.frame.pPitch[p] = reinterpret_cast<void*>(buffer->memory + before * pitch);
      before += layout_.planes[p].rows;
    }
  }
  buffers_.push_back(std::move(buffer));
  return {};
}

// Takes back what the consumer has released.
void EglProducer::take_back() {
  const auto presented = static_cast<std::size_t>(std::count_if(
      buffers_.begin(), buffers_.end(), [](const auto& buffer) { return buffer->presented; }));
  for (std::size_t i = 0; i < presented; ++i) {
    CUeglFrame frame{};
    CUstream stream = cuda_stream_.get();
    // Waits about a millisecond where there is none, but tells: so it is only asked where a buffer is needed.
    if (egl_->cuEGLStreamProducerReturnFrame(&connection_, &frame, &stream)) return;
    for (const auto& buffer : buffers_)
      if (buffer->frame.frame.pPitch[0] == frame.frame.pPitch[0]) buffer->presented = false;
  }
}

Result<void> EglProducer::upload(const Buffer& buffer, const std::byte* pixels,
                                 const Layout& layout) {
  for (std::size_t p = 0; p < layout_.num_planes; ++p) {
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = pixels + layout.planes[p].offset_bytes;
    copy.srcPitch = layout.planes[p].stride_bytes;
    copy.WidthInBytes = layout_.planes[p].row_bytes;
    copy.Height = layout_.planes[p].rows;
    if (arrays_) {
      copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
      copy.dstArray = buffer.arrays[p];
    } else {
      copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
      copy.dstDevice = reinterpret_cast<CUdeviceptr>(buffer.frame.frame.pPitch[p]);
      copy.dstPitch = buffer.frame.pitch;
    }
    if (const CUresult failed = loaded_cuda_driver().cuMemcpy2DAsync(&copy, cuda_stream_.get()))
      return cuda_error(failed, "copy a frame to " + egl_->device()->name());
  }
  return cuda_stream_.synchronise();
}

Result<bool> EglProducer::present(const std::byte* pixels, const Layout& layout,
                                  const EglFrameMetadata& metadata) {
  CudaScope scope(egl_->device()->context());
  const auto idle = [this] {
    return std::find_if(buffers_.begin(), buffers_.end(),
                        [](const auto& buffer) { return !buffer->presented; });
  };
  if (idle() == buffers_.end()) take_back();
  if (idle() == buffers_.end()) {
    if (buffers_.size() >= most_buffers_) {
      if (!is_disconnected()) return false;
      return Error{Errc::device_lost, 0, "the consumer of the EGLStream has gone"};
    }
    if (auto added = add_buffer(); !added) return std::move(added).error();
  }
  Buffer& buffer = **idle();
  if (auto uploaded = upload(buffer, pixels, layout); !uploaded) return std::move(uploaded).error();
  // Refused where the consumer made the stream without room for it: frames then go without.
  (void)egl_->eglSetStreamMetadataNV(egl_->display(), stream_, 0, 0, sizeof metadata, &metadata);
  CUstream stream = cuda_stream_.get();
  if (const CUresult failed =
          egl_->cuEGLStreamProducerPresentFrame(&connection_, buffer.frame, &stream)) {
    Error error = cuda_error(failed, "present a frame");
    error.code = Errc::device_lost;
    return error;
  }
  buffer.presented = true;
  return true;
}

}  // namespace lockstep
