// SPDX-License-Identifier: MIT
#include "gstlocksteplightreport.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "gstlockstepenums.h"
#include "gstlocksteplightplan.h"
#include "gstlocksteplightproperties.h"
#include "gstlockstepmessages.h"

namespace lockstep {
namespace {

void set_time(GstStructure* structure, const char* field, Nanoseconds time) {
  gst_structure_set(structure, field, G_TYPE_UINT64, static_cast<guint64>(time.count()), nullptr);
}

void set_setting(GstStructure* structure, const char* field, Setting setting, double value) {
  if (setting == Setting::exposure || setting == Setting::frame_duration)
    set_time(structure, field, Nanoseconds(static_cast<std::int64_t>(value)));
  else
    gst_structure_set(structure, field, G_TYPE_DOUBLE, value, nullptr);
}

void add_settings(GstStructure* structure, const Settings& settings) {
  for (const Setting setting : kSettings)
    set_setting(structure, property_name(setting), setting, value_of(settings, setting));
}

void add_ranges(GstStructure* structure, const SettingsCaps& caps) {
  for (const Setting setting : kSettings) {
    const auto& range = caps[setting];
    if (!range) continue;
    const std::string name = property_name(setting);
    set_setting(structure, (name + "-min").c_str(), setting, range->min);
    set_setting(structure, (name + "-max").c_str(), setting, range->max);
  }
}

void add_metering(GstStructure* structure, const Metering& metering) {
  GBytes* histogram = g_bytes_new(metering.histogram.data(), sizeof metering.histogram);
  gst_structure_set(structure, "luma", G_TYPE_DOUBLE, metering.trimmed_mean, "mean", G_TYPE_DOUBLE,
                    metering.mean, "clipped-dark", G_TYPE_DOUBLE, metering.clipped_dark,
                    "clipped-bright", G_TYPE_DOUBLE, metering.clipped_bright, "red", G_TYPE_DOUBLE,
                    metering.red, "green", G_TYPE_DOUBLE, metering.green, "blue", G_TYPE_DOUBLE,
                    metering.blue, "histogram", G_TYPE_BYTES, histogram, nullptr);
  g_bytes_unref(histogram);
}

GstStructure* sensor_structure(guint index, const LightReport::PerSensor& sensor) {
  GstStructure* structure = gst_structure_new("sensor", "sensor", G_TYPE_UINT, index, "state",
                                              G_TYPE_STRING, to_string(sensor.state), nullptr);
  add_ranges(structure, *sensor.caps);
  StructurePtr wanted = structure_of(sensor.wanted, "wanted");
  gst_structure_set(structure, "wanted", GST_TYPE_STRUCTURE, wanted.get(), nullptr);
  if (sensor.state == FrameState::missing) return structure;
  const FrameInfo& info = sensor.info;
  gst_structure_set(structure, "sequence", G_TYPE_UINT64, guint64{info.sequence},
                    "settings-revision", G_TYPE_UINT, info.settings_revision, "settings-state",
                    G_TYPE_STRING, to_string(info.settings_state), nullptr);
  set_time(structure, "capture-time", info.captured.since_epoch);
  add_settings(structure, info.settings);
  if (sensor.metering) add_metering(structure, *sensor.metering);
  return structure;
}

Error nonsense(const std::string& what) {
  return Error{Errc::invalid_argument, 0, "answer to the signal light: " + what};
}

std::optional<Setting> setting_named(const char* name) {
  for (const Setting setting : kSettings)
    if (std::strcmp(name, property_name(setting)) == 0) return setting;
  return std::nullopt;
}

std::string all_names() {
  std::string names;
  for (const Setting setting : kSettings)
    names += (names.empty() ? "" : ", ") + std::string(property_name(setting));
  return names;
}

// The settings in a structure, other fields than these and `sensors` being errors.
Result<SettingsChange> read_settings(const GstStructure* structure, bool with_sensors) {
  SettingsChange change;
  for (gint i = 0; i < gst_structure_n_fields(structure); ++i) {
    const char* name = gst_structure_nth_field_name(structure, static_cast<guint>(i));
    if (with_sensors && std::strcmp(name, "sensors") == 0) continue;
    const auto setting = setting_named(name);
    if (!setting)
      return nonsense(std::string("unknown field ") + name + ", wanted " + all_names() +
                      (with_sensors ? " or sensors" : ""));
    const GValue* value = gst_structure_get_value(structure, name);
    const auto number = number_of(value);
    if (!number)
      return nonsense(std::string(name) + " is a " + G_VALUE_TYPE_NAME(value) +
                      ", wanted a number");
    change.set(*setting, *number);
  }
  return change;
}

// What is asked for all, as far as a sensor can do it.
SettingsChange part_for(const SettingsChange& all, const SettingsCaps& caps) {
  SettingsChange part = all;
  for (const Setting setting : kSettings)
    if (!caps[setting]) part[setting].reset();
  return part;
}

// What one entry of `sensors` asks; nothing where it is NULL.
Result<SettingsChange> read_entry(const GValue* entry) {
  if (!GST_VALUE_HOLDS_STRUCTURE(entry))
    return nonsense(std::string("an entry of sensors is a ") + G_VALUE_TYPE_NAME(entry) +
                    ", wanted a GstStructure");
  const GstStructure* structure = gst_value_get_structure(entry);
  if (!structure) return SettingsChange();
  return read_settings(structure, false);
}

Result<std::vector<SettingsChange>> read_sensors(const GValue* array, const SettingsChange& all,
                                                 std::span<const SettingsCaps> sensors) {
  if (!GST_VALUE_HOLDS_ARRAY(array))
    return nonsense(std::string("sensors is a ") + G_VALUE_TYPE_NAME(array) +
                    ", wanted a GstValueArray of one GstStructure for each sensor");
  if (gst_value_array_get_size(array) != sensors.size())
    return nonsense("sensors has " + std::to_string(gst_value_array_get_size(array)) +
                    " entries, wanted " + std::to_string(sensors.size()) + ", one for each sensor");
  std::vector<SettingsChange> changes;
  for (guint i = 0; i < sensors.size(); ++i) {
    auto own = read_entry(gst_value_array_get_value(array, i));
    if (!own) return own.error();
    changes.push_back(part_for(all, sensors[i]));
    changes.back().merge(*own);
  }
  return changes;
}

Result<void> check_answer(const std::vector<SettingsChange>& changes, const SettingsChange& all,
                          std::span<const SettingsCaps> sensors) {
  if (auto valid = check_for_all(all, sensors); !valid) return nonsense(valid.error().what);
  if (changes.size() != sensors.size()) return {};
  for (std::size_t i = 0; i < changes.size(); ++i)
    if (auto valid = check_for_one(changes[i], sensors, i); !valid)
      return nonsense(valid.error().what);
  return {};
}

}  // namespace

StructurePtr structure_of(const Settings& settings, const char* name) {
  StructurePtr structure(gst_structure_new_empty(name));
  add_settings(structure.get(), settings);
  return structure;
}

StructurePtr structure_of(const SettingsCaps& caps) {
  StructurePtr structure(
      gst_structure_new("settings", "reports", G_TYPE_BOOLEAN, caps.reports, nullptr));
  for (const Setting setting : kSettings) {
    const auto& range = caps[setting];
    if (!range) continue;
    StructurePtr told(gst_structure_new("range", "delay", G_TYPE_INT, range->delay, nullptr));
    set_setting(told.get(), "min", setting, range->min);
    set_setting(told.get(), "max", setting, range->max);
    set_setting(told.get(), "step", setting, range->step);
    gst_structure_set(structure.get(), property_name(setting), GST_TYPE_STRUCTURE, told.get(),
                      nullptr);
  }
  if (!caps.missing.empty()) set_text(structure.get(), "missing", caps.missing);
  return structure;
}

StructurePtr structure_of(const LightReport& report, GstClockTime running_time) {
  StructurePtr structure(gst_structure_new(
      "lockstep-light", "batch", G_TYPE_UINT64, guint64{report.batch}, "running-time",
      G_TYPE_UINT64, running_time, "uniform", G_TYPE_BOOLEAN, report.uniform, "latest-revision",
      G_TYPE_UINT, report.latest_revision, nullptr));
  set_time(structure.get(), "capture-time", report.captured);
  set_time(structure.get(), "frame-period", report.frame_period);
  GValue sensors = G_VALUE_INIT;
  g_value_init(&sensors, GST_TYPE_ARRAY);
  for (std::size_t i = 0; i < report.sensors.size(); ++i) {
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, sensor_structure(static_cast<guint>(i), report.sensors[i]));
    gst_value_array_append_and_take_value(&sensors, &value);
  }
  gst_structure_take_value(structure.get(), "sensors", &sensors);
  return structure;
}

Result<std::vector<SettingsChange>> read_answer(const GstStructure* answer,
                                                std::span<const SettingsCaps> sensors) {
  auto all = read_settings(answer, true);
  if (!all) return all.error();
  std::vector<SettingsChange> changes;
  if (const GValue* array = gst_structure_get_value(answer, "sensors")) {
    auto each = read_sensors(array, *all, sensors);
    if (!each) return each.error();
    changes = *std::move(each);
  } else if (!all->empty()) {
    changes.push_back(*all);
  }
  if (auto valid = check_answer(changes, *all, sensors); !valid) return valid.error();
  const bool asks_nothing = std::all_of(changes.begin(), changes.end(),
                                        [](const auto& change) { return change.empty(); });
  if (asks_nothing) changes.clear();
  return changes;
}

}  // namespace lockstep
