// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "lockstep/frame.h"
#include "lockstep/settings.h"

namespace lockstep {

/// The settings of a simulated sensor, each of which takes effect some exposures after its write.
class SimControls {
 public:
  /// What an exposure is made with.
  struct InForce {
    Settings settings;
    std::uint32_t revision = 0;
  };

  /// \units  frame_period: how long a frame lasts until another duration is written.
  SimControls(const Settings& first, const SettingsCaps& caps, Nanoseconds frame_period);

  /// Each value holds from the exposure that comes its delay after `first_sequence`, the first that
  /// begins after the write. A marker `completes` comes with the quickest of them, without delay
  /// where there is none. `taken` is as taken_by_sim() answers.
  void write(const SettingsChange& taken, std::optional<std::uint32_t> completes,
             std::uint64_t first_sequence);

  /// What exposure `sequence` is made with: no exposure is longer than its frame.
  InForce at(std::uint64_t sequence) const;

  /// Forgets what held before exposure `sequence`.
  void forget_before(std::uint64_t sequence);

  /// All that was written holds from exposure `sequence` on; none before it is asked for any more.
  void settle(std::uint64_t sequence);

 private:
  template <typename T>
  struct Change {
    std::uint64_t from = 0;
    T value{};
  };
  /// At least one; by `from`, the first in force.
  template <typename T>
  using Changes = std::deque<Change<T>>;

  template <typename Apply>
  void for_each_queue(Apply apply);
  Nanoseconds within_frame(Nanoseconds exposure, Nanoseconds frame_duration) const;

  SettingsCaps caps_;
  std::array<Changes<double>, kNumSettings> values_;
  Changes<std::uint32_t> revisions_;
};

/// What a simulated sensor makes of values that are written to it: each the nearest that it has.
///
/// \errors  not_supported     a setting that it does not have.
///          invalid_argument  not a number.
Result<SettingsChange> taken_by_sim(const SettingsChange& change, const SettingsCaps& caps);

}  // namespace lockstep
