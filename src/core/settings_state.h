// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/align_servo.h"
#include "core/settings_controller.h"
#include "core/settings_log.h"

namespace lockstep {

/// Holds at once, or from the first exposure on: an instant before all others.
inline constexpr std::int64_t kAtOnce = SettingsLog::kAlways;

/// One part of a revision that a sensor has yet to be written.
struct PendingSettings {
  std::uint32_t revision = 0;
  SettingsChange change;  // its settings have one delay; empty: only to complete the revision
  int delay = 0;
  std::optional<std::int64_t> instant;  // at which it is to hold; nothing: not placed yet
  std::int64_t late = 0;                // exposures that it is behind that
};

/// Revisions that may be waiting for instants of their own: as many as schedule() has for them at most.
inline constexpr std::size_t kMostUnscheduled = kMaxControlDelay + 2;

/// One sensor as the settings see it.
struct SensorSettings {
  SensorSettings(const SettingsCaps& sensor_caps, Nanoseconds frame_period)
      : log(sensor_caps), duration(frame_period) {}

  SettingsLog log;
  Nanoseconds duration;  // where none was written
  std::optional<ExposureClock> clock;
  std::optional<std::int64_t> offset;
  std::vector<PendingSettings> pending;  // by revision, then longest delay first
  SettingsChange asked;                  // last, and not refused
  bool active = true;
  bool told_lacks = false;
  bool servo_due = false;
  bool nudged = false;             // its frame duration is not what was asked for
  bool starts = true;              // its capture times are the start of exposure
  std::int64_t first_index = 0;    // of the first frame since it streams
  bool counts = true;              // whether its exposures are counted for certain
  std::int64_t last_counted = 0;   // the last that was
  std::uint32_t settled = 0;       // the last revision that a frame of it was settled under
  std::uint32_t contradicted = 0;  // the last revision that its frames reported otherwise
  // How much later than the start of exposure its capture times are: as a rule, and at most.
  Nanoseconds lag{0};
  Nanoseconds most_lag{0};
  // What was asked for while it was lost.
  SettingsChange missed;
  Nanoseconds write_takes{0};  // on average
};

/// What SettingsController hides. In settings_controller.cpp but for what settings_schedule.cpp has.
struct SettingsController::State {
  State(std::vector<SettingsCaps> sensor_caps, Nanoseconds frame_period)
      : caps(std::move(sensor_caps)),
        period(frame_period),
        nominal(frame_period),
        wanted(caps.size()) {
    for (const SettingsCaps& one : caps) sensors.emplace_back(one, period);
  }

  std::vector<SettingsCaps> caps;
  Nanoseconds period;
  Nanoseconds nominal;  // frame duration that is asked for
  std::vector<Settings> wanted;
  std::vector<SensorSettings> sensors;
  std::uint32_t latest = 0;
  std::vector<std::uint32_t>
      unscheduled;  // that wait for an instant; each stands for those before it
  struct Due {
    std::uint32_t revision;
    std::int64_t instant;
  };
  std::vector<Due> due;  // rising in both, the newest of each instant; the first may be long past
  bool streaming = false;
  std::optional<std::int64_t> instant;  // of the set that left last
  std::int64_t last_due = kAtOnce;
  std::uint64_t late_writes = 0;
  std::uint64_t superseded = 0;
  std::vector<Complaint> complaints;
  std::optional<AlignServo> servo;

  Nanoseconds guard(const SensorSettings& sensor) const;
  bool is_placed(const SensorSettings& sensor) const {
    return sensor.clock && sensor.clock->started() && sensor.offset;
  }
  std::int64_t next_exposure(const SensorSettings& sensor, Nanoseconds now) const;
  Result<void> check_change(std::size_t index, const SettingsChange& change) const;
  Nanoseconds frame_of(const SensorSettings& sensor) const;
  void expand(std::size_t index, const SettingsChange& change, std::uint32_t revision);
  void add_pending(std::size_t index, const SettingsChange& news, std::uint32_t revision,
                   std::optional<std::int64_t> instant_of_part);
  void add_unscheduled(std::uint32_t revision);
  bool may_schedule() const;
  void schedule(Nanoseconds now);
  std::int64_t instant_for(std::uint32_t revision, Nanoseconds now) const;
  void drop_superseded(const std::function<bool(const PendingSettings&)>& shares);
  std::optional<Nanoseconds> time_of(const SensorSettings& sensor,
                                     const PendingSettings& pending) const;
  std::optional<Nanoseconds> next_write_to(const SensorSettings& sensor) const;
  std::optional<Write> take_pending(std::size_t index, Nanoseconds now);
  std::optional<Write> take_nudge(std::size_t index, Nanoseconds now);
  void catch_up(Nanoseconds now);
  void learn_lag(SensorSettings& sensor) const;
  void place(SensorSettings& sensor, std::size_t index);
  std::uint32_t due_at(const SensorSettings& sensor, std::int64_t index) const;
  void take_up_missed(std::size_t index);
  void take_up(const Write& write, Setting setting, SettingsLog::Entry entry);
  void complain(std::size_t index, Setting setting, double wanted_value, double value,
                const char* but);
  void refuse(const Write& write, const Error& error, Nanoseconds begun, Nanoseconds done);
};

}  // namespace lockstep
