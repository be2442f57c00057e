// SPDX-License-Identifier: MIT
#pragma once

#include <linux/videodev2.h>

#include <cstdint>
#include <optional>

#include "lockstep/frame.h"

namespace lockstep {

/// Turns the driver's 32-bit frame numbers into ours, which never go back.
class V4l2Sequence {
 public:
  struct Step {
    std::uint64_t sequence = 0;
    std::uint32_t skipped = 0;  ///< Frames lost since the one before.
  };

  Step next(std::uint32_t driver_sequence) {
    std::uint32_t delta = last_ ? driver_sequence - *last_ : 1;
    // Drivers that do not count, and those that begin anew, tell nothing of lost frames.
    if (delta == 0 || delta > UINT32_MAX / 2) delta = 1;
    sequence_ = sequence_ ? *sequence_ + delta : driver_sequence;
    last_ = driver_sequence;
    return {*sequence_, delta - 1};
  }

  /// The stream ended; the driver's next number is no successor of its last.
  void restart() { last_.reset(); }

 private:
  std::optional<std::uint32_t> last_;
  std::optional<std::uint64_t> sequence_;
};

/// The capture time and the moment that it names, as a buffer's flags declare them.
///
/// A stamp on a clock that we do not know is replaced by `now`, the time of arrival.
struct V4l2Stamp {
  Timestamp captured;
  ReferencePoint reference = ReferencePoint::unknown;
};

inline V4l2Stamp v4l2_stamp(std::uint32_t flags, Nanoseconds stamp, Nanoseconds now) {
  if ((flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
    return {{now, Clock::monotonic}, ReferencePoint::arrival};
  const bool start = (flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK) == V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
  return {{stamp, Clock::monotonic},
          start ? ReferencePoint::start_of_exposure : ReferencePoint::end_of_frame};
}

}  // namespace lockstep
