// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <vector>

#include "gstlockstepcollator.h"
#include "gstlockstephandles.h"
#include "lockstep/rig.h"

namespace lockstep {

/// Caps of the batches that the set begins. An element that takes no batches of ours gets those of GStreamer's analytics
/// elements, where there are such.
///
/// \errors  not_supported     more than kMaxSensors slots with layout=contiguous; frames that differ in colorimetry or in
///                            their pixels' aspect ratio for an element that takes one of these only.
///          no_common_format  the pads' frames fit neither one block of memory (with layout=contiguous) nor what
///                            downstream takes; the text names the pads, what each sends, and the element to put before
///                            it.
Result<CapsPtr> batch_caps_of(const MuxSet& set, BatchLayout layout, Fraction rate,
                              GstCaps* downstream);

/// The caps of each slot; null where they are not known yet.
std::vector<const GstCaps*> caps_of(const std::vector<MuxSet::Slot>& slots);

/// Whether an element with those caps takes batches of frames of several kinds.
bool takes_mixed(const GstCaps* caps);

/// Caps of all frames of that shape, whatever their rate.
CapsPtr shape_caps_of(const FrameKind& kind);

/// What a pad may send: what downstream takes, and of that first what the other pads send already, or only that where
/// all must agree. `others` may be null.
CapsPtr sink_caps_for(GstCaps* downstream, const FrameKind* others, bool must_agree);

}  // namespace lockstep
