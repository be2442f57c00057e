// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>

#include <optional>
#include <span>
#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/format.h"

/// Fields of the caps of a batch and of a frame alike, for pad templates.
#define LOCKSTEP_VIDEO_FIELDS                                                       \
  "format = (string) { NV12, I420, YUY2, UYVY, RGB, BGRx, RGBA, GRAY8, P010_10LE }" \
  ", width = (int) [ 1, 16384 ], height = (int) [ 1, 16384 ]"                       \
  ", framerate = (fraction) [ 0/1, max ]"

/// The caps feature of GstCudaMemory, as gst/cuda/gstcudamemory.h has it, which is not everywhere.
#define LOCKSTEP_CAPS_FEATURE_CUDA "memory:CUDAMemory"

/// What pad templates offer more where this plugin was built with GPU memory.
#ifdef LOCKSTEP_HAVE_CUDA
#define LOCKSTEP_CUDA_FRAME_CAPS \
  "; video/x-raw(" LOCKSTEP_CAPS_FEATURE_CUDA "), " LOCKSTEP_VIDEO_FIELDS
#define LOCKSTEP_CUDA_BATCH_CAPS                                                                 \
  "; video/x-raw(" LOCKSTEP_CAPS_FEATURE_CUDA ", " GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META \
  "), " LOCKSTEP_VIDEO_FIELDS ", batch-size = (int) [ 1, max ]"
#else
#define LOCKSTEP_CUDA_FRAME_CAPS
#define LOCKSTEP_CUDA_BATCH_CAPS
#endif

/// Caps of plain frames in memory that the CPU can read, for pad templates.
#define LOCKSTEP_HOST_FRAME_CAPS \
  "video/x-raw(memory:DMABuf), " LOCKSTEP_VIDEO_FIELDS "; video/x-raw, " LOCKSTEP_VIDEO_FIELDS

/// Caps of plain frames, with and without a memory feature, for pad templates.
#define LOCKSTEP_FRAME_CAPS LOCKSTEP_HOST_FRAME_CAPS LOCKSTEP_CUDA_FRAME_CAPS

/// Caps of a batch in memory that the CPU can read, for pad templates.
#define LOCKSTEP_HOST_BATCH_CAPS                                                           \
  "video/x-raw(" GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META "), " LOCKSTEP_VIDEO_FIELDS \
  ", batch-size = (int) [ 1, max ]; "                                                      \
  "video/x-raw(memory:DMABuf, " GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META              \
  "), " LOCKSTEP_VIDEO_FIELDS ", batch-size = (int) [ 1, max ]"

/// Caps of a batch, with and without a memory feature, for pad templates.
#define LOCKSTEP_BATCH_CAPS LOCKSTEP_HOST_BATCH_CAPS LOCKSTEP_CUDA_BATCH_CAPS

/// Caps of a batch of frames of several formats or sizes: a field `streams` has the caps of each slot, for pad templates.
/// The same field is in caps of frames of one format and size that differ in what else their caps say, such as colorimetry.
#define LOCKSTEP_MIXED_CAPS                                    \
  "video/x-raw(" GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META \
  "), framerate = (fraction) [ 0/1, max ], batch-size = (int) [ 1, max ]"

namespace lockstep {

/// What memory frames are in, as caps tell.
enum class FrameMemory : guint8 {
  system,  ///< No feature: any that the CPU can map.
  dmabuf,  ///< Every frame is a dma-buf; passes as system memory too.
  cuda,    ///< Every frame is a GstCudaMemory; passes as nothing else.
};

/// What memory these features tell.
FrameMemory frame_memory(const GstCapsFeatures* features);
/// Adds what tells of it, nothing for system memory.
void add_memory_feature(GstCapsFeatures* features, FrameMemory memory);

/// What the caps of a batch say.
struct BatchInfo {
  GstVideoInfo frame;  ///< Of each frame, laid out as GStreamer does by default.
  /// The same of each slot: they may differ from `frame` in colorimetry, chroma site and pixel aspect ratio.
  std::vector<GstVideoInfo> slots;
  PixelFormat pixel_format = PixelFormat::nv12;
  guint batch_size = 0;  ///< Number of slots.
  FrameMemory memory = FrameMemory::system;

  /// The same as the library has it; framerate 0/1 where it varies.
  Format format() const;
};

/// Reads fixed caps of a batch; nothing if they are none or of a format that is not ours.
std::optional<BatchInfo> parse_batch_caps(const GstCaps* caps);

/// The number of slots that fixed caps of a batch tell, be its frames of one kind or of several; 0 if they are none.
guint batch_size_of(const GstCaps* caps);

/// Caps of the frames in one slot of a batch of these fixed caps. EMPTY where they do not tell, because nothing is known
/// of that slot yet, or there is none.
CapsPtr frame_caps_of_slot(const GstCaps* batch_caps, guint slot);

/// Makes fixed caps of a batch say what the frames of its slots have in common, and with a field `streams` what each has
/// where they differ in colorimetry, chroma site or pixel aspect ratio. `frames` are fixed caps of one format and size, null
/// where a slot's are not known yet.
void describe_slots(GstCaps* batch_caps, std::span<const GstCaps* const> frames);

/// Sets the field `streams`: an array of the caps of each slot; `video/x-raw` without any field where they are null, since
/// caps with EMPTY or ANY inside are not fixed for GStreamer 1.28, which looks into arrays.
void set_streams(GstStructure* structure, std::span<const GstCaps* const> frames);

/// Caps of batches of what `offers` allow, in their order; twice, with memory:DMABuf first, where
/// the frames are dma-bufs.
CapsPtr batch_caps_of(std::span<const FormatOffer> offers, guint batch_size, FrameMemory memory);

/// Caps of the frames in a batch of `batch_caps`, which need not be fixed: the same without
/// batch-size and `streams`, and without the feature of batches.
CapsPtr frame_caps_of(const GstCaps* batch_caps);

/// Caps of the batches whose frames can be taken as one of `frame_caps`: a dma-buf also passes as
/// system memory.
CapsPtr batch_caps_for_frames(const GstCaps* frame_caps);

/// The GstVideoFormat of the same name.
GstVideoFormat video_format_of(PixelFormat format);

}  // namespace lockstep
