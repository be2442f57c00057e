// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>

#include "lockstep/frame.h"

namespace lockstep {

/// The settings of a simulated sensor, which take effect some exposures after they are asked for.
class SimControls {
 public:
  /// What an exposure is made with.
  struct InForce {
    Settings settings;
    std::uint32_t revision = 0;
  };

  SimControls(const Settings& first, int delay, Nanoseconds frame_period);

  /// Holds from the exposure `delay` after `next_sequence` on. Values beyond the limits are brought
  /// within; an exposure of 0 leaves the exposure as asked for before.
  void apply(const Settings& wanted, std::uint32_t revision, std::uint64_t next_sequence);

  /// What exposure `sequence` is made with.
  const InForce& at(std::uint64_t sequence) const;

  /// Forgets what held before exposure `sequence`.
  void forget_before(std::uint64_t sequence);

  /// The last that was asked for holds from now on; exposures are counted from 0 again.
  void settle();

 private:
  struct Change {
    std::uint64_t from = 0;
    InForce what;
  };

  int delay_;
  Nanoseconds frame_period_;
  Nanoseconds wanted_exposure_;
  std::deque<Change> changes_;  // At least one; by `from`, the first in force.
};

}  // namespace lockstep
