// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <vector>

#include "lockstep/frame.h"
#include "lockstep/memory.h"
#include "lockstep/result.h"

namespace lockstep {

/// A frame in the memory of a GPU as a GstCudaMemory, without a copy. It keeps the pixels until it is freed, whoever shares
/// it until then; whoever writes them next waits on the GPU for all who have read them.
///
/// One whose planes lie apart (Pixels::data is null) is for readers of cuda_pixels_of(): who maps it for CUDA gets a copy,
/// which GStreamer makes of memory that is not mapped itself. It is read-only. A map for the CPU and a copy lay it out as
/// `layout` says.
///
/// \shape   layout.size_bytes from the start of the pixels; `info` is that of the frame, its strides and offsets aside.
/// \errors  not_supported  a build without GPU memory.
///          device_lost, io  the GPU failed.
Result<GstMemory*> cuda_memory_of(std::shared_ptr<const Pixels> pixels, const GstVideoInfo& info,
                                  const Layout& layout);

/// A whole arena on a GPU as one read-only GstCudaMemory, which keeps the frames in it. As a picture it is GRAY8: a slot to
/// a row.
///
/// \shape   num_slots x slot_stride bytes.
/// \errors  as above.
Result<GstMemory*> cuda_memory_of(const std::shared_ptr<Arena>& arena,
                                  std::vector<std::shared_ptr<const Pixels>> frames);

/// The pixels behind a buffer whose one memory cuda_memory_of(pixels) made; null for any other buffer.
std::shared_ptr<const Pixels> cuda_pixels_of(GstBuffer* buffer);

}  // namespace lockstep
