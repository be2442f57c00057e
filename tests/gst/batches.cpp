// SPDX-License-Identifier: MIT
#include "batches.h"

#include <gst/lockstep/gstlockstepbatchmeta.h>

namespace lockstep {
namespace {

// A buffer mapped as bytes for as long as this object lives.
class MappedBytes {
 public:
  MappedBytes(GstBuffer* buffer, GstMapFlags flags) : buffer_(buffer) {
    gst_buffer_map(buffer, &map_, flags);
  }
  ~MappedBytes() { gst_buffer_unmap(buffer_, &map_); }
  MappedBytes(const MappedBytes&) = delete;
  MappedBytes& operator=(const MappedBytes&) = delete;
  std::span<std::byte> bytes() const {
    return std::as_writable_bytes(std::span(map_.data, map_.size));
  }

 private:
  GstBuffer* buffer_;
  GstMapInfo map_{};
};

Layout layout_of(const Format& format) {
  return *default_layout(format.pixel_format, format.width, format.height);
}

PaintedCode code_of(std::size_t sensor, std::uint32_t sequence) {
  return {.sensor = static_cast<std::uint8_t>(sensor),
          .sequence = sequence,
          .captured_us = 1000u * sequence + sensor,
          .settings_revision = 0};
}

// The part of a picture, as a picture.
LumaView crop(const LumaView& picture, const Rectangle& part) {
  LumaView cropped = picture;
  cropped.bytes =
      picture.bytes.subspan(part.y * picture.stride_bytes + part.x * picture.pixel_bytes);
  cropped.width = part.width;
  cropped.height = part.height;
  return cropped;
}

}  // namespace

BatchPlan all_fresh(const Format& format, std::size_t num_slots, std::uint32_t number) {
  return {format, std::vector<FrameState>(num_slots, FrameState::fresh), number};
}

GstClockTime time_of_batch(std::uint32_t number, const Format& format) {
  return gst_util_uint64_scale(number, GST_SECOND * format.framerate.denominator,
                               format.framerate.numerator);
}

BufferPtr make_frame(const Format& format, const PaintedCode& code) {
  const Layout layout = layout_of(format);
  BufferPtr frame(gst_buffer_new_allocate(nullptr, layout.size_bytes, nullptr));
  gst_buffer_memset(frame.get(), 0, 0x80, layout.size_bytes);
  const MappedBytes mapped(frame.get(), GST_MAP_READWRITE);
  paint_code(code, format, layout, mapped.bytes());
  return frame;
}

BufferPtr make_batch(const BatchPlan& plan) {
  BufferPtr batch(gst_buffer_new());
  GST_BUFFER_PTS(batch.get()) = time_of_batch(plan.number, plan.format);
  GST_BUFFER_DURATION(batch.get()) = time_of_batch(1, plan.format);
  GST_BUFFER_OFFSET(batch.get()) = plan.number;
  GstLockstepBatchMeta* meta =
      gst_buffer_add_lockstep_batch_meta(batch.get(), static_cast<guint>(plan.states.size()));
  meta->batch_number = plan.number;
  meta->skew = 5;
  for (std::size_t slot = 0; slot < plan.states.size(); slot++) {
    GstLockstepFrame& frame = meta->frames[slot];
    frame.state = static_cast<GstLockstepFrameState>(plan.states[slot]);
    if (plan.states[slot] == FrameState::missing) continue;
    const bool repeated = plan.states[slot] == FrameState::repeated;
    frame.sequence = plan.number - (repeated ? 1 : 0);
    frame.exposure = 1000 + slot;
    const PaintedCode code = code_of(slot, static_cast<std::uint32_t>(frame.sequence));
    frame.buffer = make_frame(plan.format, code).release();
    GST_BUFFER_PTS(frame.buffer) =
        time_of_batch(static_cast<std::uint32_t>(frame.sequence), plan.format) + slot;
    GST_BUFFER_DURATION(frame.buffer) = time_of_batch(1, plan.format);
  }
  return batch;
}

std::string frame_caps(const Format& format) {
  return std::string("video/x-raw, format=") + to_string(format.pixel_format) +
         ", width=" + std::to_string(format.width) + ", height=" + std::to_string(format.height) +
         ", framerate=" + std::to_string(format.framerate.numerator) + "/" +
         std::to_string(format.framerate.denominator);
}

std::string batch_caps(const Format& format, std::size_t num_slots, const std::string& feature) {
  std::string caps = frame_caps(format) + ", batch-size=" + std::to_string(num_slots);
  return caps.insert(std::string("video/x-raw").size(),
                     "(" GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META + feature + ")");
}

std::optional<PaintedCode> code_in(GstBuffer* frame, const Format& format, const Rectangle& part) {
  const MappedBytes mapped(frame, GST_MAP_READ);
  return read_code(crop(luma_of(format, layout_of(format), mapped.bytes()), part));
}

int brightness(GstBuffer* frame, const Format& format, std::uint32_t x, std::uint32_t y) {
  const MappedBytes mapped(frame, GST_MAP_READ);
  const LumaView luma = luma_of(format, layout_of(format), mapped.bytes());
  return std::to_integer<int>(luma.bytes[y * luma.stride_bytes + x * luma.pixel_bytes]);
}

}  // namespace lockstep
