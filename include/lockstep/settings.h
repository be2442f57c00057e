// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "lockstep/export.h"
#include "lockstep/result.h"
#include "lockstep/time.h"

namespace lockstep {

/// How a sensor takes light into pixels. \units times in ns, gains as factors (1 = as sensed).
struct Settings {
  Nanoseconds exposure{0};  ///< 0: the sensor does not tell.
  double analogue_gain = 1.0;
  double digital_gain = 1.0;
  double red_gain = 1.0;   ///< White balance, relative to green.
  double blue_gain = 1.0;  ///< White balance, relative to green.
  Nanoseconds frame_duration{
      0};  ///< From this exposure's start to the next; 0: as the frame rate says.

  friend bool operator==(const Settings&, const Settings&) = default;
};

/// One of the settings, where they are gone through in turn.
enum class Setting : std::uint8_t {
  exposure,        ///< Settings::exposure. \units ns
  analogue_gain,   ///< Settings::analogue_gain. \units factor
  digital_gain,    ///< Settings::digital_gain. \units factor
  red_gain,        ///< Settings::red_gain. \units factor
  blue_gain,       ///< Settings::blue_gain. \units factor
  frame_duration,  ///< Settings::frame_duration. \units ns
};

inline constexpr std::array kSettings = {Setting::exposure,     Setting::analogue_gain,
                                         Setting::digital_gain, Setting::red_gain,
                                         Setting::blue_gain,    Setting::frame_duration};
inline constexpr std::size_t kNumSettings = kSettings.size();

/// Kebab-case name, as in "analogue-gain".
LOCKSTEP_API const char* to_string(Setting setting);

/// A value for each setting that is named; the others stay as they are.
///
/// \units   ns for times, factors for gains, both as double: whole nanoseconds are exact to a hundred days.
class LOCKSTEP_API SettingsChange {
 public:
  const std::optional<double>& operator[](Setting setting) const {
    return values_[static_cast<std::size_t>(setting)];
  }
  std::optional<double>& operator[](Setting setting) {
    return values_[static_cast<std::size_t>(setting)];
  }
  SettingsChange& set(Setting setting, double value) {
    (*this)[setting] = value;
    return *this;
  }
  SettingsChange& set(Setting setting, Nanoseconds value) {
    return set(setting, static_cast<double>(value.count()));
  }

  bool empty() const;
  /// Takes over what `other` names.
  void merge(const SettingsChange& other);

  friend bool operator==(const SettingsChange&, const SettingsChange&) = default;

 private:
  std::array<std::optional<double>, kNumSettings> values_{};
};

/// "exposure 10 ms, analogue-gain 2", for messages; "nothing" where it names nothing.
LOCKSTEP_API std::string to_string(const SettingsChange& change);

/// One setting of `settings`. \units as SettingsChange.
LOCKSTEP_API double value_of(const Settings& settings, Setting setting);
/// Changes what `change` names; fractions of nanoseconds are rounded.
LOCKSTEP_API void apply_to(Settings& settings, const SettingsChange& change);

/// What a sensor can set one setting to, and when that holds. \units as SettingsChange.
struct SettingRange {
  double min = 0;
  double max = 0;
  double step =
      0;  ///< From one value to the next, counted from min; 0: as fine as the unit, or not told.
  /// Exposures from the write to the first that is made with it: a value that is written before exposure k begins, and
  /// after exposure k - 1 began, holds from exposure k + delay on. 0 to kMaxControlDelay.
  int delay = 0;

  friend bool operator==(const SettingRange&, const SettingRange&) = default;
};

inline constexpr int kMaxControlDelay = 64;

/// What light a sensor can be set to. Without any range it has no control at all.
struct LOCKSTEP_API SettingsCaps {
  std::array<std::optional<SettingRange>, kNumSettings> ranges{};  ///< Nothing: it cannot be set.
  /// Whether its frames tell what they were exposed with (Delivered::info.settings). Where they do not, it is reckoned
  /// from the times of the writes and the delays.
  bool reports = false;
  /// Why a setting is missing, for listings: "analogue-gain: no unit is known for control Gain, ...". May be empty.
  std::string missing;

  const std::optional<SettingRange>& operator[](Setting setting) const {
    return ranges[static_cast<std::size_t>(setting)];
  }
  std::optional<SettingRange>& operator[](Setting setting) {
    return ranges[static_cast<std::size_t>(setting)];
  }
  bool has_any() const;
};

/// The nearest value that the range has, not counting rounding by less than its step: `value` within min and max, on a
/// multiple of the step from min.
LOCKSTEP_API double nearest(const SettingRange& range, double value);

/// What all of the sensors that can set it at all can set it to: the common part of the ranges, the coarsest step, the
/// longest delay; nothing where none can, or their ranges do not meet.
LOCKSTEP_API std::optional<SettingRange> common_range(std::span<const SettingsCaps> sensors,
                                                      Setting setting);

/// Whether the values are finite, above zero and within the sensor's ranges (half a step beyond is rounded away).
///
/// \errors  invalid_argument  not a number, zero or less, or out of range: the text says which, and what range there is.
///          not_supported     a setting that the sensor does not have.
LOCKSTEP_API Result<void> check(const SettingsChange& change, const SettingsCaps& caps);

/// How what a frame was exposed with stands to the revision that it names.
enum class SettingsState : std::uint8_t {
  unknown,  ///< Not known: the sensor has no control over it and does not tell.
  settled,  ///< Exposed with all that its settings revision says.
  /// Between two revisions, so near to a write that either may hold, or an exposure longer than its frame that the
  /// sensor does not report. It names the last revision that a frame of the sensor was settled under.
  changing,
  refused,  ///< The sensor did not take all that it was asked for; it names a revision as `changing` does.
};

LOCKSTEP_API const char* to_string(SettingsState state);

}  // namespace lockstep
