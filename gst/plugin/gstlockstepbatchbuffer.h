// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>

#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/frame.h"

namespace lockstep {

/// Says with a GstVideoMeta where the planes of a frame lie, its slot beginning at `slot_offset` of the buffer's memory.
GstVideoMeta* add_video_meta(GstBuffer* buffer, const GstVideoInfo& info, const Layout& layout,
                             gsize slot_offset);

/// Fills in what a batch meta tells of a frame, all but its buffer.
void describe(GstLockstepFrame* described, FrameState state, const FrameInfo& info);

/// Turns batches into buffers as the pipeline has them: a GstLockstepBatchMeta whose frames are ordinary buffers.
class BatchWrapper {
 public:
  /// `offset` is what to add to a capture time to have it in running time. \units ns.
  struct Timing {
    GstClockTimeDiff offset = 0;
    GstClockTime duration = GST_CLOCK_TIME_NONE;
  };

  explicit BatchWrapper(const GstVideoInfo& frame_info) : info_(frame_info) {}

  /// Takes the batch over: its slots come back when the buffers' memories are freed.
  ///
  /// The batch's PTS is the capture time of its anchor, a frame's PTS its own; a time before 0 becomes 0.
  BufferPtr wrap(Batch batch, const Timing& timing);

 private:
  GstBuffer* wrap_frame(const Frame& frame, const Timing& timing);
  GstCaps* reference_caps(Clock clock, ReferencePoint reference);

  struct ReferenceCaps {
    Clock clock;
    ReferencePoint reference;
    CapsPtr caps;
  };

  GstVideoInfo info_;
  std::vector<ReferenceCaps> reference_caps_;
};

}  // namespace lockstep
