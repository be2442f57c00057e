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

/// A whole arena as one read-only GstMemory, which keeps the frames in it.
///
/// \shape  num_slots x slot_stride bytes.
GstMemory* memory_of(const std::shared_ptr<Arena>& arena,
                     std::vector<std::shared_ptr<const Pixels>> frames);

}  // namespace lockstep
