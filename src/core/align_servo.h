// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/exposure_clock.h"
#include "lockstep/settings.h"
#include "lockstep/time.h"

namespace lockstep {

/// Holds the exposures of free-running sensors together by small changes of their frame durations. Pure.
///
/// There is a grid of instants, one nominal frame duration apart; each sensor is led onto it, the short way round. The
/// grid is that of the first sensor that cannot change its frame duration; where all can, it begins with the first
/// sensor's exposures and keeps the pace of the observations' clock, or the nearest to it that all can keep.
///
/// \thread  one caller at a time.
class AlignServo {
 public:
  /// A sensor is led by this share of a frame duration in one frame at most: its exposure must still fit.
  static constexpr double kMostNudge = 0.02;

  AlignServo(std::size_t num_sensors, Nanoseconds nominal_duration);

  /// What is known of one sensor when a duration for it is to be chosen.
  struct Sensor {
    const ExposureClock* clock = nullptr;  ///< Null or not started: it is left alone.
    std::optional<SettingRange> duration;  ///< Nothing: it cannot be led.
    bool active = true;                    ///< Lost sensors set no grid.
  };

  /// The frame duration that sensor `which` should have from exposure `index` on (which is in the future, and all
  /// durations before it are settled), or nothing where `present` is near enough.
  /// \units   ns on the sensor's own clock; present: what it is set to from `index` on if nothing is done.
  std::optional<Nanoseconds> duration_for(std::size_t which, std::int64_t index,
                                          Nanoseconds present, const std::vector<Sensor>& sensors);

  /// The nominal frame duration changes: so does the grid.
  void set_nominal(Nanoseconds duration);

 private:
  // Of the grid, what matters to one exposure.
  struct Grid {
    Nanoseconds instant{0};  // Nearest to it.
    Nanoseconds period{0};   // On the clock of the observations.
  };

  std::optional<std::size_t> find_leader(const std::vector<Sensor>& sensors) const;
  Grid grid_at(Nanoseconds time, const std::vector<Sensor>& sensors);
  Nanoseconds pace(const std::vector<Sensor>& sensors) const;
  double way_to_go(std::size_t which, double off, double rate, Nanoseconds period,
                   const SettingRange& range);

  Nanoseconds nominal_;
  std::optional<Nanoseconds> origin_;  // An instant of the grid, the latest that was asked for.
  std::optional<std::size_t> leader_;  // The sensor that sets the grid.
  std::vector<int> headings_;          // Of each sensor: led earlier (-1) or later (1), a long way.
};

}  // namespace lockstep
