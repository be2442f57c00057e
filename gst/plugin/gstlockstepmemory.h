// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <memory>
#include <vector>

#include "lockstep/frame.h"
#include "lockstep/memory.h"

namespace lockstep {

/// The pixels as a GstMemory, without a copy: an fd memory or dma-buf of GStreamer's own kind where they have an fd,
/// mapped where they are mapped already. It keeps the pixels until it is freed, whoever shares it until then.
///
/// \shape  `size_bytes` from the start of the pixels.
GstMemory* memory_of(std::shared_ptr<const Pixels> pixels, gsize size_bytes);

/// The same for a slot that upstream is to write into. Decoders such as avdec_h264 pass a frame on while they have it
/// mapped for writing, and GStreamer, which then cannot share its memory, copies it: such a copy is the same slot here,
/// read-only.
///
/// \source  gst_buffer_copy_with_flags() and gst_video_decoder_finish_frame(), GStreamer 1.22: 19 of 20 frames of
/// avdec_mpeg4 were copied by GStreamer, with any pool.
GstMemory* slot_memory_of(std::shared_ptr<const Pixels> pixels, gsize size_bytes);

/// The pixels behind a buffer whose one memory memory_of(pixels) made, or is shared from such a one; null for any other
/// buffer, also for one that begins further on in the pixels.
std::shared_ptr<const Pixels> pixels_of(GstBuffer* buffer);

/// A whole arena as one read-only GstMemory, which keeps the frames in it: a rig's arena or a dispenser's, any that all
/// frames lie in. Those that are null are missing.
///
/// \shape  num_slots x slot_stride bytes.
GstMemory* memory_of(const std::shared_ptr<Arena>& arena,
                     std::vector<std::shared_ptr<const Pixels>> frames);

}  // namespace lockstep
