// SPDX-License-Identifier: MIT
// Everything is drawn in the stream that the mosaic's memory names. It is told to wait for the streams that the frames'
// memories name, which is all that is to know of frames: ours name one that waits for who writes them. What keeps a slot of
// ours from being written to while it is read is its memory's end (gstlockstepcudamemory.cpp).
#include "gstlockstepcudamosaic.h"

#include <algorithm>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "gstlockstepcudamemory.h"
#include "gstlockstepgpuhandles.h"
#include "gstlocksteppicture.h"
#include "lockstep/cuda_kernels.h"

namespace lockstep {
namespace {

constexpr auto kReadOnGpu = static_cast<GstMapFlags>(int{GST_MAP_READ} | int{GST_MAP_CUDA});
constexpr auto kWriteOnGpu = static_cast<GstMapFlags>(int{GST_MAP_WRITE} | int{GST_MAP_CUDA});

// Has `stream` go on only when `other` has done what it was given so far.
Result<void> follow(const Gpu& gpu, CUstream stream, CUstream other) {
  if (stream == other) return {};
  auto event = CudaFence::record(gpu.device, other);
  if (!event) return std::move(event).error();
  CudaFence fence(gpu.device);
  fence.was_written(*event);
  return fence.before_reading(stream);
}

Result<void> wait_for(const Gpu& gpu, CUstream stream) {
  auto event = CudaFence::record(gpu.device, stream);
  if (!event) return std::move(event).error();
  CudaFence fence(gpu.device);
  fence.was_written(*event);
  return fence.synchronise();
}

// The buffer's memory, where kernels on that GPU can reach it.
Result<GstCudaMemory*> memory_on(const Gpu& gpu, GstBuffer* buffer, const std::string& what) {
  GstMemory* memory =
      gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : nullptr;
  if (!memory || !gst_is_cuda_memory(memory))
    return Error{Errc::not_supported, 0, "draw " + what + ", which is no GstCudaMemory"};
  auto* on_gpu = GST_CUDA_MEMORY_CAST(memory);
  if (gst_cuda_context_get_handle(on_gpu->context) != gpu.device->context())
    return Error{Errc::not_supported, 0,
                 "draw " + what + ", which lies in a context of another element's on " +
                     gpu.device->name() +
                     "; let the pipeline share one: set none on it, and have "
                     "lockstepsrc, lockstepmux or locksteptiler next to that element"};
  return on_gpu;
}

CUstream stream_of(GstCudaMemory* memory) {
  return gst_cuda_stream_get_handle(gst_cuda_memory_get_stream(memory));
}

CudaPicture on_gpu(const PictureView& picture, PixelFormat format) {
  CudaPicture made;
  made.pixel_format = format;
  made.width = picture.width;
  made.height = picture.height;
  for (std::size_t p = 0; p < kMaxPlanes; ++p)
    made.planes[p] = reinterpret_cast<std::uintptr_t>(picture.planes[p]);
  made.strides = picture.strides;
  return made;
}

// A frame of ours. It is not mapped: GStreamer has the host wait when it frees memory that was mapped, and not waited for.
CudaPicture on_gpu(const Pixels& pixels, const GstVideoInfo& info, PixelFormat format) {
  Layout layout;
  layout.num_planes = GST_VIDEO_INFO_N_PLANES(&info);
  for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(&info); ++p) {
    layout.planes[p].offset_bytes = GST_VIDEO_INFO_PLANE_OFFSET(&info, p);
    layout.planes[p].stride_bytes = static_cast<std::size_t>(GST_VIDEO_INFO_PLANE_STRIDE(&info, p));
  }
  return cuda_picture(pixels, layout, format,
                      static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&info)),
                      static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&info)));
}

}  // namespace

struct CudaMosaicPainter::State {
  // A rectangle of the mosaic in one colour.
  struct Patch {
    Rectangle place;
    Colour colour;
  };
  // What is to be drawn for one batch, and what must stay mapped until it is given to the GPU.
  struct Work {
    std::vector<Patch> before;
    std::vector<CudaKernels::Tile> tiles;
    std::vector<Patch> after;
    std::list<MappedFrame> mapped;
    std::vector<CUstream> others;   // Streams of what is read.
    std::vector<CUstream> foreign;  // Of those, of memory that is not ours.
  };
  struct Last {
    BufferPtr buffer;
    GstVideoInfo info;
    std::vector<MosaicPlan::Tile> tiles;
  };

  const Gpu* gpu = nullptr;
  std::shared_ptr<CudaKernels> kernels;
  GstVideoInfo frame_info{};
  GstVideoInfo mosaic_info{};
  PixelFormat format = PixelFormat::nv12;
  MosaicPlan plan;
  Last last;

  void mark(Work& work, const Rectangle& place, const Colour& colour, bool with_bars) const;
  Result<void> add_frame(Work& work, const GstLockstepFrame& frame, const Rectangle& place) const;
  void add_missing(Work& work, guint slot, const Rectangle& place) const;
  Result<void> fill(const std::vector<Patch>& patches, const CudaPicture& mosaic,
                    CUstream stream) const;
  Result<void> draw(const Work& work, const CudaPicture& mosaic, CUstream stream) const;
  Result<void> hand_back(const Work& work, CUstream stream) const;
};

void CudaMosaicPainter::State::mark(Work& work, const Rectangle& place, const Colour& colour,
                                    bool with_bars) const {
  for (Rectangle part : marks_of(place.width, place.height, with_bars)) {
    part.x += place.x;
    part.y += place.y;
    work.after.push_back({part, colour});
  }
}

Result<void> CudaMosaicPainter::State::add_frame(Work& work, const GstLockstepFrame& frame,
                                                 const Rectangle& place) const {
  const std::string what = "the frame of slot " + std::to_string(frame.sensor);
  auto memory = memory_on(*gpu, frame.buffer, what);
  if (!memory) return std::move(memory).error();
  work.others.push_back(stream_of(*memory));
  const auto pixels = cuda_pixels_of(frame.buffer);
  if (!pixels) work.foreign.push_back(stream_of(*memory));
  if (pixels && !GST_MEMORY_FLAG_IS_SET(*memory, GST_CUDA_MEMORY_TRANSFER_NEED_UPLOAD)) {
    work.tiles.push_back({on_gpu(*pixels, (*memory)->info, format), place});
  } else {
    const MappedFrame& mapped = work.mapped.emplace_back(frame_info, frame.buffer, kReadOnGpu);
    if (!mapped) return Error{Errc::io, 0, "map " + what + " to read it"};
    work.tiles.push_back({on_gpu(picture_of(*mapped), format), place});
  }
  if (frame.state == GST_LOCKSTEP_FRAME_REPEATED) mark(work, place, kAmber, false);
  return {};
}

void CudaMosaicPainter::State::add_missing(Work& work, guint slot, const Rectangle& place) const {
  mark(work, place, kRed, true);
  const auto tile = std::find_if(last.tiles.begin(), last.tiles.end(),
                                 [&](const auto& candidate) { return candidate.slot == slot; });
  if (tile != last.tiles.end()) {
    const MappedFrame& mapped = work.mapped.emplace_back(last.info, last.buffer.get(), kReadOnGpu);
    if (mapped) {
      work.tiles.push_back({on_gpu(crop(picture_of(*mapped), tile->place), format), place});
      work.others.push_back(
          stream_of(GST_CUDA_MEMORY_CAST(gst_buffer_peek_memory(last.buffer.get(), 0))));
      return;
    }
  }
  work.before.push_back({place, kBlack});
}

Result<void> CudaMosaicPainter::State::fill(const std::vector<Patch>& patches,
                                            const CudaPicture& mosaic, CUstream stream) const {
  for (const Patch& patch : patches) {
    auto filled = kernels->fill(mosaic, patch.place, samples_of(patch.colour, mosaic_info), stream);
    if (!filled) return filled;
  }
  return {};
}

Result<void> CudaMosaicPainter::State::draw(const Work& work, const CudaPicture& mosaic,
                                            CUstream stream) const {
  for (const CUstream other : work.others)
    if (auto follows = follow(*gpu, stream, other); !follows) return follows;
  if (auto filled = fill(work.before, mosaic, stream); !filled) return filled;
  const std::span<const CudaKernels::Tile> tiles(work.tiles);
  for (std::size_t first = 0; first < tiles.size(); first += CudaKernels::kMaxPictures) {
    const std::size_t count = std::min(CudaKernels::kMaxPictures, tiles.size() - first);
    if (auto drawn = kernels->tile(tiles.subspan(first, count), mosaic, stream); !drawn)
      return drawn;
  }
  return fill(work.after, mosaic, stream);
}

// Decoders may have a frame's memory written to again as soon as they have it back, by other means than streams.
Result<void> CudaMosaicPainter::State::hand_back(const Work& work, CUstream stream) const {
  if (work.foreign.empty()) return {};
  for (const CUstream other : work.foreign)
    if (auto follows = follow(*gpu, other, stream); !follows) return follows;
  return wait_for(*gpu, stream);
}

CudaMosaicPainter::CudaMosaicPainter() : state_(std::make_unique<State>()) {}
CudaMosaicPainter::~CudaMosaicPainter() = default;

Result<void> CudaMosaicPainter::configure(GstPad* sink, const BatchInfo& batch,
                                          const GstVideoInfo& mosaic, MosaicPlan plan) {
  State& state = *state_;
  for (const MosaicPlan::Tile& tile : plan.tiles)
    if (tile.recolouring)
      return Error{Errc::not_supported, 0,
                   "draw slot " + std::to_string(tile.slot) + ", " +
                       to_string(batch.slots[tile.slot].colorimetry) + ", in a mosaic of " +
                       to_string(mosaic.colorimetry) +
                       " on the GPU, where colours are not converted; put cudaconvert and a "
                       "capsfilter with that colorimetry before it, or cudadownload before "
                       "locksteptiler"};
  auto gpu = gpu_upstream(sink);
  if (!gpu) return std::move(gpu).error();
  auto kernels = CudaKernels::load((*gpu)->device);
  if (!kernels) return std::move(kernels).error();
  if (state.gpu != *gpu || (state.last.buffer && !can_show_again(state.last.info, mosaic)))
    forget();
  state.gpu = *gpu;
  state.kernels = *std::move(kernels);
  state.frame_info = batch.frame;
  state.mosaic_info = mosaic;
  state.format = batch.pixel_format;
  state.plan = std::move(plan);
  return {};
}

PoolPtr CudaMosaicPainter::choose_pool(GstBufferPool* offered) {
  PoolPtr pool(offered);
  if (pool && GST_IS_CUDA_BUFFER_POOL(offered) &&
      gst_cuda_context_get_handle(GST_CUDA_BUFFER_POOL(offered)->context) ==
          state_->gpu->device->context())
    return pool;
  return PoolPtr(gst_cuda_buffer_pool_new(state_->gpu->context));
}

void CudaMosaicPainter::configure_pool(GstStructure* config) {
  GstCudaStream* stream = gst_buffer_pool_config_get_cuda_stream(config);
  if (!stream) gst_buffer_pool_config_set_cuda_stream(config, state_->gpu->stream);
  gst_clear_cuda_stream(&stream);
}

Result<void> CudaMosaicPainter::paint(const GstLockstepBatchMeta& batch, GstBuffer* mosaic) {
  State& state = *state_;
  auto memory = memory_on(*state.gpu, mosaic, "into the mosaic");
  if (!memory) return std::move(memory).error();
  const MappedFrame to(state.mosaic_info, mosaic, kWriteOnGpu);
  if (!to) return Error{Errc::io, 0, "map the mosaic to draw it"};
  State::Work work;
  for (const MosaicPlan::Tile& tile : state.plan.tiles) {
    const auto* frame = tile.slot < batch.n_frames ? &batch.frames[tile.slot] : nullptr;
    if (is_missing(frame)) {
      state.add_missing(work, tile.slot, tile.place);
    } else if (auto added = state.add_frame(work, *frame, tile.place); !added) {
      return added;
    }
  }
  for (const Rectangle& place : state.plan.empty) work.before.push_back({place, kBlack});
  std::sort(work.others.begin(), work.others.end());
  work.others.erase(std::unique(work.others.begin(), work.others.end()), work.others.end());

  const CUstream stream = stream_of(*memory);
  auto drawn = state.draw(work, on_gpu(picture_of(*to), state.format), stream);
  if (!drawn) return drawn;
  if (auto given_back = state.hand_back(work, stream); !given_back) return given_back;
  state.last = {BufferPtr(gst_buffer_ref(mosaic)), state.mosaic_info, state.plan.tiles};
  return {};
}

void CudaMosaicPainter::forget() { state_->last = {}; }

}  // namespace lockstep
