// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <optional>
#include <string>

#include "gstlockstepcaps.h"
#include "gstlockstephandles.h"
#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/metering.h"
#include "lockstep/result.h"

namespace lockstep {

/// What a pad sends: its caps, and what they say.
struct FrameKind {
  CapsPtr
      caps;  ///< With colorimetry and pixel aspect ratio, even where upstream leaves them to be taken for granted.
  GstVideoInfo info;
  PixelFormat pixel_format = PixelFormat::nv12;
  Layout layout;                             ///< Where a buffer has no GstVideoMeta.
  FrameMemory memory = FrameMemory::system;  ///< As the caps say.

  /// "1920x1080 NV12", for messages.
  std::string text() const;
};

/// Reads fixed caps of a pad; without a framerate they mean 0/1.
///
/// \errors  not_supported  they cannot be batched; the text says what they are and which element
///                         changes them.
Result<std::shared_ptr<const FrameKind>> read_kind(GstCaps* caps);

/// Whether frames of both fit one block of memory: the same format, size and kind of memory.
bool is_same_shape(const FrameKind& a, const FrameKind& b);

/// Where the planes of a frame lie in the memory of its buffer.
///
/// \errors  io  the buffer holds less than its caps or its GstVideoMeta say, or they belie each
///              other.
Result<Layout> layout_in(GstBuffer* buffer, const FrameKind& kind);

/// A frame on its way from a pad into a batch.
struct MuxFrame {
  BufferPtr buffer;
  std::shared_ptr<const FrameKind> kind;
  Layout layout;
  FrameInfo info;
  std::optional<Metering> metering;  ///< As it was described upstream, if it was.
  /// Of a frame out of a uniform batch the group of its stream, that is the rig whose settings it was exposed under.
  guint uniform_group = GST_GROUP_ID_INVALID;
  GstClockTime running_time = GST_CLOCK_TIME_NONE;  ///< Of its PTS, else of its arrival or capture.
  Nanoseconds came_at{0};                           ///< \units CLOCK_MONOTONIC.
  Nanoseconds grouped_by{0};                        ///< The time that tells its partners.

  /// The same frame once more; the pixels are shared.
  MuxFrame again() const;
};

}  // namespace lockstep
