// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>

#include "gstlockstephandles.h"
#include "lockstep/result.h"

namespace lockstep {

/// Whether a frame lies in its buffer as GStreamer lays out `info` by default, so that elements which know nothing of
/// GstVideoMeta read it right. \thread any.
bool has_default_layout(GstBuffer* frame, const GstVideoInfo& info);

/// A copy of a frame that does, in system memory, with the frame's times, flags and metas.
/// \errors  io  the frame cannot be mapped.
Result<BufferPtr> copy_to_default_layout(GstBuffer* frame, const GstVideoInfo& info);

/// Whether what is linked to `pad` reads GstVideoMeta, as its answer to the ALLOCATION query says.
/// \thread  the pad's streaming thread; may wait for a queue behind it to drain.
bool peer_takes_any_layout(GstPad* pad, GstCaps* caps);

}  // namespace lockstep
