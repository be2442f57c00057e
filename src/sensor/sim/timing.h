// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "lockstep/time.h"
#include "sensor/sim/options.h"
#include "sensor/sim/random.h"

namespace lockstep {

/// One trigger of a simulated sensor. \units on the clock of the stream.
struct SimTrigger {
  std::uint64_t sequence = 0;
  Nanoseconds exposed{0};   ///< When the exposure of the first row begins.
  Nanoseconds reported{0};  ///< What the sensor says of that.
  bool lost = false;        ///< No frame comes of it.
  bool corrupt = false;
};

/// The triggers of one stream, one after the other. Pure: no clock, no thread, and trigger k is the
/// same whenever it is asked for.
class SimTimeline {
 public:
  /// `origin` is the time of trigger 0, as it would be without jitter.
  SimTimeline(const SimTiming& timing, std::uint64_t seed, double period_ns, Nanoseconds origin);

  /// The trigger to come.
  const SimTrigger& next() const { return next_; }
  /// Goes on to the trigger after it, `period_ns` later by a clock that does not drift.
  void advance(double period_ns);
  /// Goes on to the first trigger that begins at `time` or later.
  void skip_to(Nanoseconds time, double period_ns);

  /// The time of trigger 0, as it would be without jitter.
  Nanoseconds origin() const { return origin_; }
  /// When the device is unplugged, where it is at all.
  Nanoseconds unplugged_at() const { return origin_ + timing_.unplugged.begin; }
  /// When it can be had again; the maximum if never.
  Nanoseconds plugged_at() const;

 private:
  Nanoseconds nominal() const;
  void compute_next();

  SimTiming timing_;
  SimRandom random_;
  Nanoseconds origin_;
  double period_ns_;
  Nanoseconds base_;  // Of trigger base_sequence_; the period has not changed since.
  std::uint64_t base_sequence_ = 0;
  Nanoseconds last_reported_{-1};
  SimTrigger next_;
};

/// The first multiple of the frame period after `now`, plus `phase`: where sensors of one rate meet
/// though none knows when the others start.
Nanoseconds first_common_trigger(Nanoseconds now, const Fraction& framerate, Nanoseconds phase);

/// \units ns
double period_of(const Fraction& framerate);

}  // namespace lockstep
