// SPDX-License-Identifier: MIT
#include "gstlockstepbatchbuffer.h"

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "gstlockstepcudamemory.h"
#include "gstlockstepdescription.h"
#include "gstlockstepmemory.h"
#include "lockstep/memory.h"

namespace lockstep {
namespace {

GstClockTime running_time(Nanoseconds captured, const BatchWrapper::Timing& timing) {
  return static_cast<GstClockTime>(std::max<gint64>(captured.count() + timing.offset, 0));
}

}  // namespace

GstVideoMeta* add_video_meta(GstBuffer* buffer, const GstVideoInfo& info, const Layout& layout,
                             gsize slot_offset) {
  gsize offsets[GST_VIDEO_MAX_PLANES] = {};
  gint strides[GST_VIDEO_MAX_PLANES] = {};
  for (std::size_t p = 0; p < layout.num_planes; ++p) {
    offsets[p] = slot_offset + layout.planes[p].offset_bytes;
    strides[p] = static_cast<gint>(layout.planes[p].stride_bytes);
  }
  return gst_buffer_add_video_meta_full(
      buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&info), GST_VIDEO_INFO_WIDTH(&info),
      GST_VIDEO_INFO_HEIGHT(&info), static_cast<guint>(layout.num_planes), offsets, strides);
}

Result<GstMemory*> arena_memory_of(const std::shared_ptr<Arena>& arena,
                                   std::vector<std::shared_ptr<const Pixels>> frames) {
  if (arena->space() == MemorySpace::cuda) return cuda_memory_of(arena, std::move(frames));
  return memory_of(arena, std::move(frames));
}

Result<BufferPtr> BatchWrapper::wrap(Batch batch, const Timing& timing) {
  BufferPtr buffer(gst_buffer_new());
  GST_BUFFER_PTS(buffer.get()) = running_time(batch.captured.since_epoch, timing);
  GST_BUFFER_DURATION(buffer.get()) = timing.duration;
  GST_BUFFER_OFFSET(buffer.get()) = batch.number;

  GstLockstepBatchMeta* meta =
      gst_buffer_add_lockstep_batch_meta(buffer.get(), static_cast<guint>(batch.frames.size()));
  meta->contiguous = batch.contiguous();
  meta->batch_number = batch.number;
  meta->skew = static_cast<GstClockTime>(batch.skew.count());
  meta->uniform = batch.uniform;
  std::vector<std::shared_ptr<const Pixels>> kept;
  const Layout* layout = nullptr;
  for (std::size_t i = 0; i < batch.frames.size(); ++i) {
    const Frame& frame = batch.frames[i];
    describe(&meta->frames[i], {frame.state, frame.info, frame.metering});
    if (!frame.pixels) continue;
    auto wrapped = wrap_frame(frame, timing);
    if (!wrapped) return std::move(wrapped).error();
    meta->frames[i].buffer = wrapped->release();
    if (!batch.contiguous()) continue;
    kept.push_back(frame.pixels);
    layout = &frame.layout;
  }
  if (!batch.contiguous()) return buffer;
  auto all = arena_memory_of(batch.arena, std::move(kept));
  if (!all) return std::move(all).error();
  gst_buffer_append_memory(buffer.get(), *all);
  for (std::size_t i = 0; i < batch.frames.size(); ++i) {
    GstVideoMeta* video =
        add_video_meta(buffer.get(), info_, *layout, i * batch.arena->slot_stride());
    video->id = static_cast<gint>(i);
  }
  return buffer;
}

Result<GstMemory*> BatchWrapper::memory_of_frame(const Frame& frame) const {
  const bool on_gpu = frame.pixels->space() == MemorySpace::cuda;
  if (on_gpu != (memory_ == FrameMemory::cuda))
    return Error{Errc::not_supported, 0,
                 "pass on the frame of sensor " + std::to_string(frame.info.sensor) +
                     ", in memory of " + to_string(frame.pixels->space()) +
                     ", beside others that are not; use layout=auto, with memory=cuda for a GPU"};
  if (on_gpu) return cuda_memory_of(frame.pixels, info_, frame.layout);
  return memory_of(frame.pixels, frame.layout.size_bytes);
}

Result<BufferPtr> BatchWrapper::wrap_frame(const Frame& frame, const Timing& timing) {
  auto memory = memory_of_frame(frame);
  if (!memory) return std::move(memory).error();
  BufferPtr owned(gst_buffer_new());
  GstBuffer* buffer = owned.get();
  gst_buffer_append_memory(buffer, *memory);
  add_video_meta(buffer, info_, frame.layout, 0);
  const FrameInfo& info = frame.info;
  GST_BUFFER_PTS(buffer) = running_time(info.captured.since_epoch, timing);
  GST_BUFFER_DURATION(buffer) = timing.duration;
  GST_BUFFER_OFFSET(buffer) = info.sequence;
  gst_buffer_add_reference_timestamp_meta(
      buffer, reference_caps(info.captured.clock, info.reference),
      static_cast<GstClockTime>(info.captured.since_epoch.count()), GST_CLOCK_TIME_NONE);
  return owned;
}

GstCaps* BatchWrapper::reference_caps(Clock clock, ReferencePoint reference) {
  for (const ReferenceCaps& known : reference_caps_)
    if (known.clock == clock && known.reference == reference) return known.caps.get();
  const std::string name = std::string("timestamp/x-lockstep-") + to_string(clock);
  CapsPtr caps(gst_caps_new_simple(name.c_str(), "reference-point", G_TYPE_STRING,
                                   to_string(reference), nullptr));
  reference_caps_.push_back({clock, reference, std::move(caps)});
  return reference_caps_.back().caps.get();
}

}  // namespace lockstep
