// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

#include "lockstep/export.h"

namespace lockstep {

using Nanoseconds = std::chrono::nanoseconds;

/// The clock that a point in time is read from.
enum class Clock : std::uint8_t {
  unknown,    ///< The driver does not say; not comparable with anything.
  monotonic,  ///< CLOCK_MONOTONIC.
  boottime,   ///< CLOCK_BOOTTIME.
  realtime,   ///< CLOCK_REALTIME.
  simulated,  ///< The simulator's virtual clock; starts at 0 with the stream.
};

/// The moment of a frame's life that its capture time names.
enum class ReferencePoint : std::uint8_t {
  unknown,            ///< The driver does not say.
  start_of_exposure,  ///< Exposure of the first row begins (V4L2_BUF_FLAG_TSTAMP_SRC_SOE).
  end_of_frame,       ///< The last byte was received (V4L2_BUF_FLAG_TSTAMP_SRC_EOF).
  arrival,            ///< We took the frame from the driver; it gave no usable time of its own.
};

LOCKSTEP_API const char* to_string(Clock clock);
LOCKSTEP_API const char* to_string(ReferencePoint reference);

/// A point in time: nanoseconds since the epoch of its clock.
struct Timestamp {
  Nanoseconds since_epoch{0};
  Clock clock = Clock::unknown;
};

/// The present on CLOCK_MONOTONIC, as nanoseconds since that clock's epoch.
LOCKSTEP_API Nanoseconds monotonic_now();

}  // namespace lockstep
