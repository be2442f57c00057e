// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <vector>

#include "gstlockstepcollator.h"
#include "gstlockstephandles.h"
#include "lockstep/rig.h"
#include "lockstep/slot_dispenser.h"

namespace lockstep {

/// A batch made of a mux's set, and how it was made.
struct MuxBatch {
  BufferPtr buffer;
  bool contiguous = false;
  std::vector<bool> in_place;  ///< By slot: upstream wrote the frame into a slot of ours.
  std::vector<bool> copied;    ///< By slot: it was copied into one.
};

/// When a batch is shown.
struct MuxMoment {
  GstClockTime running_time = 0;
  GstClockTime duration = GST_CLOCK_TIME_NONE;  ///< \units of the stream, whatever its rate.
  guint64 number = 0;
  GstSegment segment;  ///< What the batch's PTS is in, and that of each of its frames.
};

/// The PTS in that segment of what plays at that running time; NONE where there is none.
GstClockTime pts_in(const GstSegment& segment, GstClockTime running_time);

/// Makes the buffer of a batch: contiguous where every frame lies at its slot of one arena, in one layout, and where
/// `layout` demands it, by reference otherwise. Each frame stays the buffer that it came in, with its metas; its PTS
/// becomes one in the batch's segment.
///
/// `dispenser` is where the pads' slots come from; null with layout=reference only.
/// \errors  as SlotDispenser::gather(); io where a frame cannot be mapped.
Result<MuxBatch> make_batch(MuxSet set, const MuxMoment& moment, BatchLayout layout,
                            SlotDispenser* dispenser);

}  // namespace lockstep
