// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/mosaic.h"
#include "lockstep/painted_code.h"

namespace lockstep {

/// What batch `number` of a test looks like: slot i holds sensor i's frame of that sequence number.
struct BatchPlan {
  Format format;
  std::vector<FrameState> states;  ///< One per slot.
  std::uint32_t number = 0;
};

/// A batch of `num_slots` fresh frames.
BatchPlan all_fresh(const Format& format, std::size_t num_slots, std::uint32_t number = 0);

/// The time of a batch of a test. \units ns of running time
GstClockTime time_of_batch(std::uint32_t number, const Format& format);

/// A batch by reference. Each frame carries a painted code; repeated ones that of the batch before.
BufferPtr make_batch(const BatchPlan& plan);

/// One painted frame in memory of its own, laid out as GStreamer does by default.
BufferPtr make_frame(const Format& format, const PaintedCode& code);

/// Caps of batches, as text; `feature` such as ", memory:DMABuf".
std::string batch_caps(const Format& format, std::size_t num_slots,
                       const std::string& feature = "");

/// The caps of a plain frame.
std::string frame_caps(const Format& format);

/// Reads the code in a part of a plain frame in default layout.
std::optional<PaintedCode> code_in(GstBuffer* frame, const Format& format, const Rectangle& part);

/// The brightness, of 0 to 255, of one pixel of a plain frame in default layout.
int brightness(GstBuffer* frame, const Format& format, std::uint32_t x, std::uint32_t y);

}  // namespace lockstep
