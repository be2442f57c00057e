// SPDX-License-Identifier: MIT
// Times in calculations.
#pragma once

#include <cmath>

#include "lockstep/time.h"

namespace lockstep {

// For durations that users choose and that may mean "for ever".
inline Nanoseconds add_saturating(Nanoseconds time, Nanoseconds duration) {
  if (time > Nanoseconds(0) && duration > Nanoseconds::max() - time) return Nanoseconds::max();
  if (time < Nanoseconds(0) && duration < Nanoseconds::min() - time) return Nanoseconds::min();
  return time + duration;
}

inline Nanoseconds subtract_saturating(Nanoseconds time, Nanoseconds duration) {
  if (duration > Nanoseconds(0) && time < Nanoseconds::min() + duration) return Nanoseconds::min();
  if (duration < Nanoseconds(0) && time > Nanoseconds::max() + duration) return Nanoseconds::max();
  return time - duration;
}

inline double as_double(Nanoseconds value) { return static_cast<double>(value.count()); }

inline Nanoseconds rounded(double ns) { return Nanoseconds(std::llround(ns)); }

}  // namespace lockstep
