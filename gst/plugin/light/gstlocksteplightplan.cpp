// SPDX-License-Identifier: MIT
#include "gstlocksteplightplan.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace lockstep {
namespace {

Error about_sensor(std::size_t sensor, Error error) {
  error.what = "sensor " + std::to_string(sensor) + ": " + error.what;
  return error;
}

WeightMap map_of(MeteringPattern pattern) {
  switch (pattern) {
    case MeteringPattern::average:
      return average_metering();
    case MeteringPattern::centre:
      return centre_metering();
    case MeteringPattern::spot:
      return spot_metering();
  }
  return average_metering();
}

Error no_weights(const std::string& what) {
  return Error{Errc::invalid_argument, 0,
               "metering-weights: " + what +
                   ", wanted rows of numbers from the top, all of one length, such as "
                   "<<1.0,2.0>,<1.0,2.0>>"};
}

}  // namespace

LightConfig LightPlan::config_for(std::size_t num_sensors) const {
  LightConfig all = config;
  all.metering = metering_weights ? *metering_weights : map_of(pattern);
  const std::span used(sensors.data(), std::min(num_sensors, sensors.size()));
  if (std::any_of(used.begin(), used.end(), [](const auto& s) { return s.weight != 1; }))
    for (const PerSensor& sensor : used) all.weights.push_back(sensor.weight);
  if (std::any_of(used.begin(), used.end(), [](const auto& s) { return !s.override.empty(); }))
    for (const PerSensor& sensor : used) all.overrides.push_back(sensor.override);
  return all;
}

Result<void> check(const LightPlan& plan) {
  for (std::size_t i = 0; i < plan.sensors.size(); ++i)
    if (auto valid = check(plan.sensors[i].override); !valid) return about_sensor(i, valid.error());
  return check(plan.config_for(plan.sensors.size()), plan.sensors.size());
}

Result<void> check(const LightPlan& plan, std::size_t num_sensors) {
  for (std::size_t i = num_sensors; i < plan.sensors.size(); ++i)
    if (plan.sensors[i] != LightPlan::PerSensor{})
      return Error{Errc::invalid_argument, 0,
                   "sensor_" + std::to_string(i) +
                       " has properties set, wanted sensor_0 to sensor_" +
                       std::to_string(num_sensors - 1)};
  if (auto valid = check(plan); !valid) return valid;
  return check(plan.config_for(num_sensors), num_sensors);
}

Result<void> check(const SettingsChange& change) {
  static const SettingsCaps any = [] {
    SettingsCaps caps;
    for (const Setting setting : kSettings)
      caps[setting] = SettingRange{0, std::numeric_limits<double>::max()};
    return caps;
  }();
  // The library counts time in signed 64 bits.
  for (const Setting time : {Setting::exposure, Setting::frame_duration})
    if (change[time] && *change[time] >= static_cast<double>(G_MAXINT64))
      return Error{Errc::invalid_argument, 0,
                   std::string(to_string(time)) + " of 2^63 ns or more, wanted less"};
  return check(change, any);
}

Result<void> check_for_all(const SettingsChange& change, std::span<const SettingsCaps> sensors) {
  if (auto valid = check(change); !valid) return valid;
  SettingsChange nobody_has = change;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    SettingsChange its = change;
    for (const Setting setting : kSettings) {
      if (sensors[i][setting])
        nobody_has[setting].reset();
      else
        its[setting].reset();
    }
    if (auto valid = check(its, sensors[i]); !valid) return about_sensor(i, valid.error());
  }
  if (nobody_has.empty()) return {};
  return Error{Errc::not_supported, 0,
               "set " + to_string(nobody_has) + ", no sensor has such a control"};
}

Result<void> check_for_one(const SettingsChange& change, std::span<const SettingsCaps> sensors,
                           std::size_t sensor) {
  if (auto valid = check(change, sensors[sensor]); !valid)
    return about_sensor(sensor, valid.error());
  return {};
}

bool asks_for_news(std::span<const SettingsChange> changes, std::span<const SettingsCaps> sensors,
                   std::span<const Settings> wanted) {
  for (std::size_t i = 0; i < sensors.size() && !changes.empty(); ++i) {
    const SettingsChange& change = changes[changes.size() == 1 ? 0 : i];
    SettingsChange possible;
    for (const Setting setting : kSettings)
      if (const auto& range = sensors[i][setting]; range && change[setting])
        possible.set(setting, nearest(*range, *change[setting]));
    Settings asked = wanted[i];
    apply_to(asked, possible);
    if (asked != wanted[i]) return true;
  }
  return false;
}

Result<std::optional<WeightMap>> weight_map_of(const GValue* rows) {
  const guint num_rows = gst_value_array_get_size(rows);
  if (num_rows == 0) return std::optional<WeightMap>();
  WeightMap map{0, num_rows, {}};
  for (guint r = 0; r < num_rows; ++r) {
    const GValue* row = gst_value_array_get_value(rows, r);
    if (!GST_VALUE_HOLDS_ARRAY(row))
      return no_weights("row " + std::to_string(r) + " is a " + G_VALUE_TYPE_NAME(row));
    const guint num_columns = gst_value_array_get_size(row);
    if (r == 0) map.columns = num_columns;
    if (num_columns != map.columns || num_columns == 0)
      return no_weights("row " + std::to_string(r) + " has " + std::to_string(num_columns) +
                        " weights, the first has " + std::to_string(map.columns));
    for (guint c = 0; c < num_columns; ++c) {
      const GValue* weight = gst_value_array_get_value(row, c);
      const auto number = number_of(weight);
      if (!number) return no_weights(std::string("a weight is a ") + G_VALUE_TYPE_NAME(weight));
      map.weights.push_back(static_cast<float>(*number));
    }
  }
  return std::optional(std::move(map));
}

void set_weight_map(GValue* value, const std::optional<WeightMap>& map) {
  g_value_reset(value);
  for (std::size_t r = 0; map && r < map->rows; ++r) {
    GValue row = G_VALUE_INIT;
    g_value_init(&row, GST_TYPE_ARRAY);
    for (std::size_t c = 0; c < map->columns; ++c) {
      GValue weight = G_VALUE_INIT;
      g_value_init(&weight, G_TYPE_DOUBLE);
      g_value_set_double(&weight, double{map->weights[r * map->columns + c]});
      gst_value_array_append_and_take_value(&row, &weight);
    }
    gst_value_array_append_and_take_value(value, &row);
  }
}

}  // namespace lockstep
