// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <optional>

#include "lockstep/frame.h"
#include "lockstep/metering.h"

namespace lockstep {

/// What is known of a frame beside its pixels.
struct FrameDescription {
  FrameState state = FrameState::missing;
  FrameInfo info;  ///< Where missing only `sensor` holds.
  std::optional<Metering>
      metering;  ///< Read back from a meta: of its numbers only those that metas carry.
};

/// Writes it into a slot of a batch meta, whose buffer stays as it is.
void describe(GstLockstepFrame* slot, const FrameDescription& frame);

/// Reads it back.
FrameDescription description_of(const GstLockstepFrame& slot);

/// Gives `buffer` a batch meta that describes slots `first` to `first + count - 1` of `batch`, without their frames: what
/// stays with a picture that was made of the batch, or taken out of it. Number, skew and uniformity are the batch's.
/// `buffer` must be writable and have no batch meta.
GstLockstepBatchMeta* copy_description(const GstLockstepBatchMeta& batch, guint first, guint count,
                                       GstBuffer* buffer);

}  // namespace lockstep
