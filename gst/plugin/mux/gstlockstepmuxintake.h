// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>
#include <variant>

#include "gstlockstepmuxinput.h"
#include "gstlockstepmuxsettings.h"

namespace lockstep {

/// A frame that cannot be taken in, and why.
struct Refusal {
  DropReason reason = DropReason::corrupt;
  std::string text;  ///< What is wrong and what to do, for the user; empty where nothing is.
};

/// Makes a frame of a buffer that came on a pad: checks that it holds what it says and reads when it was captured.
///
/// FrameInfo::captured is left unknown, unless the buffer has a GstLockstepBatchMeta of one slot, as those from
/// lockstepdemux have, which tells all that is known of the frame.
///
/// \units  came_at on CLOCK_MONOTONIC.
std::variant<MuxFrame, Refusal> look_at(MuxInput& input, BufferPtr buffer, Nanoseconds came_at);

/// The time that frames are grouped by; nothing, and why, where the frame tells none.
std::variant<Nanoseconds, Refusal> time_of(const MuxFrame& frame, const MuxSettings& settings);

}  // namespace lockstep
