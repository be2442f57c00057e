// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "lockstep/drop_reason.h"
#include "lockstep/time.h"

namespace lockstep {

/// Counts dropped frames by sensor and reason, and reports them at most once a second each.
///
/// A rig has one for its sensors; whoever groups frames that come from elsewhere can have one of their own.
///
/// \thread  one caller at a time.
class DropCounter {
 public:
  using Counts = std::array<std::uint64_t, kNumDropReasons>;
  /// Called with how many were dropped since the last report of that sensor and reason.
  using Report = std::function<void(std::size_t sensor, DropReason reason, std::uint64_t count)>;

  /// Forgets everything and counts for sensors 0 to num_sensors - 1 from now on.
  void reset(std::size_t num_sensors) {
    counters_.assign(num_sensors, {});
    unreported_ = false;
  }

  /// Counts `count` more; the next report() that is due has them.
  void add(std::size_t sensor, DropReason reason, std::uint64_t count) {
    auto& counter = counters_[sensor];
    counter.unreported[static_cast<std::size_t>(reason)] += count;
    unreported_ = true;
  }

  /// Reports what is due at `now`; all of it if `all`.
  /// \units  now: ns of any clock that does not go back.
  void report(Nanoseconds now, bool all, const Report& receive) {
    if (!unreported_) return;
    unreported_ = false;
    for (std::size_t i = 0; i < counters_.size(); ++i) {
      for (std::size_t r = 0; r < kNumDropReasons; ++r) {
        Counter& counter = counters_[i];
        if (counter.unreported[r] == 0) continue;
        if (!all && now < counter.next_report[r]) {
          unreported_ = true;
          continue;
        }
        counter.next_report[r] = now + std::chrono::seconds(1);
        receive(i, static_cast<DropReason>(r), std::exchange(counter.unreported[r], 0));
      }
    }
  }

 private:
  struct Counter {
    Counts unreported{};
    std::array<Nanoseconds, kNumDropReasons> next_report{};
  };
  std::vector<Counter> counters_;
  bool unreported_ = false;
};

}  // namespace lockstep
