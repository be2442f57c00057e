// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "lockstep/frame.h"
#include "lockstep/result.h"
#include "sensor/v4l2/device.h"
#include "sensor/v4l2/format.h"

namespace lockstep {

/// How frames get from the driver to us.
struct V4l2Io {
  v4l2_memory memory = V4L2_MEMORY_MMAP;
  std::string why;  ///< As SensorStream::io has it.
};

/// The best I/O that works with slots of that kind: DMABUF import, else USERPTR, else the driver's own
/// buffers. Each is tried on a slot; with `asked` no other.
///
/// \errors  not_supported  the one that was asked for does not work; the text says why.
///          busy           someone else streams from the device.
Result<V4l2Io> choose_v4l2_io(const V4l2Device& device, const V4l2Picture& picture,
                              std::optional<v4l2_memory> asked, FdKind slot_kind);

}  // namespace lockstep
