// SPDX-License-Identifier: MIT
#include "gstlockstepmuxintake.h"

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <utility>

#include "gstlockstepdescription.h"

namespace lockstep {
namespace {

// The description that lockstepdemux gives a frame; null of any other.
const GstLockstepBatchMeta* description_on(GstBuffer* buffer) {
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(buffer);
  return meta && meta->n_frames == 1 ? meta : nullptr;
}

// Sources that count frames say so by an offset that spans one; everybody else's offset may be anything.
std::uint64_t sequence_of(const GstBuffer* buffer, std::uint64_t num_before) {
  const guint64 offset = GST_BUFFER_OFFSET(buffer);
  const bool counts = offset != GST_BUFFER_OFFSET_NONE &&
                      GST_BUFFER_OFFSET_END(buffer) != GST_BUFFER_OFFSET_NONE &&
                      GST_BUFFER_OFFSET_END(buffer) == offset + 1;
  return counts ? offset : num_before;
}

// The running time at which a buffer begins; NONE without a PTS, nothing outside of the segment.
std::optional<GstClockTime> running_time_of(const GstBuffer* buffer, const GstSegment& segment) {
  const GstClockTime pts = GST_BUFFER_PTS(buffer);
  if (!GST_CLOCK_TIME_IS_VALID(pts) || segment.format != GST_FORMAT_TIME)
    return GST_CLOCK_TIME_NONE;
  const GstClockTime duration = GST_BUFFER_DURATION(buffer);
  const GstClockTime end =
      GST_CLOCK_TIME_IS_VALID(duration) && duration < G_MAXINT64 && pts < G_MAXINT64
          ? pts + duration
          : pts;
  guint64 begin = 0;
  if (!gst_segment_clip(&segment, GST_FORMAT_TIME, pts, end, &begin, nullptr)) return std::nullopt;
  // A pad's negative offset takes the beginning of its segment out of it.
  const GstClockTime time = gst_segment_to_running_time(&segment, GST_FORMAT_TIME, begin);
  if (!GST_CLOCK_TIME_IS_VALID(time)) return std::nullopt;
  return time;
}

}  // namespace

std::variant<MuxFrame, Refusal> look_at(MuxInput& input, BufferPtr owned, Nanoseconds came_at) {
  GstBuffer* buffer = owned.get();
  const std::uint64_t num_before = input.num_frames++;
  if (!input.kind)
    return Refusal{
        DropReason::corrupt,
        "sends data without caps; put a decoder such as decodebin, or a capsfilter, before it"};
  auto layout = layout_in(buffer, *input.kind);
  if (!layout) return Refusal{DropReason::corrupt, "sends a damaged frame: " + layout.error().what};
  const auto running_time = running_time_of(buffer, input.segment);
  if (!running_time) return Refusal{DropReason::clipped, ""};

  MuxFrame frame;
  frame.kind = input.kind;
  frame.layout = *layout;
  frame.running_time = *running_time;
  frame.came_at = came_at;
  if (const GstLockstepBatchMeta* described = description_on(buffer)) {
    FrameDescription description = description_of(described->frames[0]);
    frame.info = description.info;
    frame.metering = std::move(description.metering);
    if (described->uniform) frame.uniform_group = input.group;
  } else {
    frame.info.sequence = sequence_of(buffer, num_before);
  }
  frame.buffer = std::move(owned);
  return frame;
}

std::variant<Nanoseconds, Refusal> time_of(const MuxFrame& frame, const MuxSettings& settings) {
  switch (settings.sync_mode) {
    case SyncMode::arrival:
      return frame.came_at;
    case SyncMode::running_time:
      if (GST_CLOCK_TIME_IS_VALID(frame.running_time))
        return Nanoseconds(static_cast<std::int64_t>(frame.running_time));
      return Refusal{
          DropReason::untimed,
          "sends frames without a PTS in a segment of time; set do-timestamp=true on its "
          "source, put videorate before it, or use sync-mode=arrival"};
    case SyncMode::capture_time:
      break;
  }
  const GstReferenceTimestampMeta* meta =
      gst_buffer_get_reference_timestamp_meta(frame.buffer.get(), settings.reference_caps.get());
  if (meta && GST_CLOCK_TIME_IS_VALID(meta->timestamp))
    return Nanoseconds(static_cast<std::int64_t>(meta->timestamp));
  std::string text = "sends frames without a reference timestamp";
  if (settings.reference_caps)
    text += std::string(" of caps ") +
            CharsPtr(gst_caps_to_string(settings.reference_caps.get())).get();
  return Refusal{DropReason::untimed,
                 text +
                     "; for RTP set add-reference-timestamp-meta=true on rtspsrc or "
                     "rtpjitterbuffer, or use sync-mode=running-time"};
}

}  // namespace lockstep
