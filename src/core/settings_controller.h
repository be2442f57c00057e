// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/exposure_clock.h"
#include "lockstep/frame.h"
#include "lockstep/result.h"
#include "lockstep/settings.h"
#include "lockstep/time.h"

namespace lockstep {

/// Makes a change of settings take effect on the same trigger in every sensor, and tells of each frame under which
/// revision it was exposed. Pure: no clock, no thread, no sensor; docs/design/light.md draws it frame by frame.
///
/// A change is a revision. It is given an instant to come, the first that every sensor can still meet, and each of its
/// settings is written to each sensor so many exposures before that as the setting takes to hold. Which instant a
/// sensor's exposure belongs to is learned from the sets that frames leave in.
///
/// \thread  one caller at a time.
class SettingsController {
 public:
  /// One write that is to be made now.
  struct Write {
    std::size_t sensor = 0;
    SettingsChange change;
    std::optional<std::uint32_t> completes;  ///< As Sensor::write() wants it.
    std::uint32_t revision =
        0;  ///< Which asks for it; 0: none, it holds a free-running sensor to the others.
  };

  /// How a frame stands to the settings that were asked for.
  struct Exposed {
    std::int64_t index = 0;  ///< Of the exposure, by the sensor's ExposureClock.
    Settings settings;
    /// Where settled the one that it has in full; elsewhere the last that a frame of the sensor was settled under.
    std::uint32_t revision = 0;
    SettingsState state = SettingsState::unknown;
  };

  /// A sensor did not do what was asked of it.
  struct Complaint {
    std::size_t sensor = 0;
    Error error;
  };

  /// Revisions are counted on from `latest_revision`.
  SettingsController(std::vector<SettingsCaps> caps, Nanoseconds frame_period,
                     std::uint32_t latest_revision = 0);
  ~SettingsController();
  SettingsController(SettingsController&&) noexcept;
  SettingsController& operator=(SettingsController&&) noexcept;

  /// Whom a change is for that names each sensor: a sensor that lacks what is named for it makes the whole wrong, or is
  /// left out as where one change is for all.
  enum class For { each, those_that_can };

  /// Whether a sensor can do a change: each value is in its range, and the exposure that it then has, as far as it was
  /// asked for one, fits into its frame.
  /// \errors  as check(SettingsChange, SettingsCaps); invalid_argument for what does not fit. The text names no sensor.
  Result<void> check(std::size_t sensor, const SettingsChange& change) const;
  /// Whether request() would take it.
  Result<void> check(std::span<const SettingsChange> changes, std::span<const std::string> names,
                     For whom = For::each) const;
  /// Takes a change under a new revision, as Rig::apply(). \errors as Rig::apply(), with `names` of the sensors.
  Result<std::uint32_t> request(std::span<const SettingsChange> changes,
                                std::span<const std::string> names, For whom = For::each);

  /// Sensors begin anew, none streams yet: clocks, instants and logs are forgotten. What was asked for stays, and is to
  /// be written now, by take_write(), to hold from the first exposure on; then comes begin().
  void restart();
  /// Sensors begin to stream.
  void begin();

  /// A frame of the sensor has come. `captured` is the start of its exposure, or somewhat later where `reference` says
  /// so; `reported` is what the sensor tells, used where it reports.
  Exposed exposed(std::size_t sensor, Nanoseconds captured, ReferencePoint reference,
                  const Settings& reported);

  /// These exposures left in one batch; nothing where a frame is missing.
  void left_together(std::span<const std::optional<std::int64_t>> indexes);

  /// When take_write() has something next, if nothing else happens; nothing: never.
  std::optional<Nanoseconds> next_write() const;
  /// A write that is due. It must be made and told of with written() before anything else is asked.
  std::optional<Write> take_write(Nanoseconds now);
  /// How a write went: what the driver took, and when it was begun and done.
  void written(const Write& write, const Result<SettingsChange>& taken, Nanoseconds begun,
               Nanoseconds done);

  /// The sensor went away, or is back with what it was set to last.
  void lost(std::size_t sensor);
  void back(std::size_t sensor);

  /// Free-running sensors are held together from now on, or not.
  void set_aligned(bool aligned);

  const std::vector<SettingsCaps>& caps() const;
  /// What was last asked of each sensor, as far as its driver took it.
  const std::vector<Settings>& wanted() const;
  std::uint32_t latest_revision() const;
  std::uint64_t late_writes() const;
  /// Revisions that never hold by themselves, since a later one was given the same instant.
  std::uint64_t superseded() const;
  /// What sensors did not do since the last call.
  std::vector<Complaint> take_complaints();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
