// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>

#include <memory>
#include <vector>

#include "gstlockstepcaps.h"
#include "gstlockstephandles.h"
#include "lockstep/frame.h"
#include "lockstep/memory.h"
#include "lockstep/result.h"

namespace lockstep {

/// Says with a GstVideoMeta where the planes of a frame lie, its slot beginning at `slot_offset` of the buffer's memory.
GstVideoMeta* add_video_meta(GstBuffer* buffer, const GstVideoInfo& info, const Layout& layout,
                             gsize slot_offset);

/// All of an arena as one memory of its own kind, which keeps the frames in it.
/// \errors  device_lost, io  a GPU failed.
Result<GstMemory*> arena_memory_of(const std::shared_ptr<Arena>& arena,
                                   std::vector<std::shared_ptr<const Pixels>> frames);

/// Turns batches into buffers as the pipeline has them: a GstLockstepBatchMeta whose frames are ordinary buffers.
class BatchWrapper {
 public:
  /// `offset` is what to add to a capture time to have it in running time. \units ns.
  struct Timing {
    GstClockTimeDiff offset = 0;
    GstClockTime duration = GST_CLOCK_TIME_NONE;
  };

  explicit BatchWrapper(const BatchInfo& batch) : info_(batch.frame), memory_(batch.memory) {}

  /// Takes the batch over: its slots come back when the buffers' memories are freed.
  ///
  /// The batch's PTS is the capture time of its anchor, a frame's PTS its own; a time before 0 becomes 0.
  /// \errors  not_supported  a frame in another memory than the caps say, which layout=reference may bring.
  ///          device_lost, io  a GPU failed.
  Result<BufferPtr> wrap(Batch batch, const Timing& timing);

 private:
  Result<GstMemory*> memory_of_frame(const Frame& frame) const;
  Result<BufferPtr> wrap_frame(const Frame& frame, const Timing& timing);
  GstCaps* reference_caps(Clock clock, ReferencePoint reference);

  struct ReferenceCaps {
    Clock clock;
    ReferencePoint reference;
    CapsPtr caps;
  };

  GstVideoInfo info_;
  FrameMemory memory_;
  std::vector<ReferenceCaps> reference_caps_;
};

}  // namespace lockstep
