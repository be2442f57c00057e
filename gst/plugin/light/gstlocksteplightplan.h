// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "gstlockstepenums.h"
#include "lockstep/light.h"
#include "lockstep/sensor_spec.h"

namespace lockstep {

/// Who decides on the light of a lockstepsrc, and how: its properties and those of its children.
struct LightPlan {
  struct PerSensor {
    SettingsChange override;  ///< What holds for it whatever else is asked.
    double weight = 1;        ///< How much it counts, with LightMode::shared.

    friend bool operator==(const PerSensor&, const PerSensor&) = default;
  };

  LightConfig config;  ///< Without metering and what is told per sensor.
  MeteringPattern pattern = MeteringPattern::average;
  std::optional<WeightMap> metering_weights;  ///< In place of the pattern.
  std::array<PerSensor, kMaxSensors> sensors;

  /// The whole of it for the library. Weights and overrides only where one is set.
  LightConfig config_for(std::size_t num_sensors) const;

  friend bool operator==(const LightPlan&, const LightPlan&) = default;
};

/// \errors  invalid_argument  as check(LightConfig), or an override that is not a number above 0.
Result<void> check(const LightPlan& plan);

/// \errors  invalid_argument  as above, or something is set of a sensor that there is not.
Result<void> check(const LightPlan& plan, std::size_t num_sensors);

/// Whether each value is a number above 0; what range a sensor has is another question.
/// \errors  invalid_argument  one is not.
Result<void> check(const SettingsChange& change);

/// Whether sensors can do what is asked of all of them, those that lack one of its settings aside.
///
/// \errors  invalid_argument  out of range; the text names the sensor and its range.
///          not_supported     no sensor has such a control.
Result<void> check_for_all(const SettingsChange& change, std::span<const SettingsCaps> sensors);

/// Whether a sensor can do what is asked of it; the text names it.
/// \errors  as check(SettingsChange, SettingsCaps).
Result<void> check_for_one(const SettingsChange& change, std::span<const SettingsCaps> sensors,
                           std::size_t sensor);

/// Whether changes, one for all sensors or one for each, ask for anything else than what is wanted already.
bool asks_for_news(std::span<const SettingsChange> changes, std::span<const SettingsCaps> sensors,
                   std::span<const Settings> wanted);

/// A weight map from a GstValueArray of rows, each one of numbers; nothing where the array is empty.
/// \errors  invalid_argument  no such array, or rows of different lengths.
Result<std::optional<WeightMap>> weight_map_of(const GValue* rows);

/// The reverse: sets `value`, which is of type GST_TYPE_ARRAY.
void set_weight_map(GValue* value, const std::optional<WeightMap>& map);

}  // namespace lockstep
