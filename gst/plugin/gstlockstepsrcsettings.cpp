// SPDX-License-Identifier: MIT
#include "gstlockstepsrcsettings.h"

#include <algorithm>
#include <utility>

#include "gstlockstepenums.h"
#include "gstlockstepnewest.h"

namespace lockstep {
namespace {

constexpr guint kDefaultNumSensors = 4;

std::string string_of(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text ? text : "";
}

std::optional<Nanoseconds> time_unless_open(gint64 ns) {
  if (ns < 0) return std::nullopt;
  return Nanoseconds(ns);
}

GType leaky_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(Leaky::no), "They wait; new frames are dropped while max-batches are out",
       "no"},
      {static_cast<int>(Leaky::downstream),
       "The newest waits, those before it are dropped and counted as downstream-full",
       "downstream"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepSrcLeaky", values);
  return type;
}

}  // namespace

guint SrcSettings::effective_num_sensors() const {
  if (num_sensors) return *num_sensors;
  if (sensors.empty()) return kDefaultNumSensors;
  auto specs = parse_sensor_list(sensors);
  return specs ? static_cast<guint>(specs->size()) : 0;
}

Grouping SrcSettings::grouping() const {
  return {time_unless_open(tolerance), time_unless_open(max_wait), on_missing};
}

Result<RigConfig> SrcSettings::rig_config() const {
  const std::size_t wanted = effective_num_sensors();
  auto specs = parse_sensor_list(sensors.empty() ? "sim" : sensors);
  if (!specs) return specs.error();
  // One kind of sensor without a device can be had any number of times.
  if (specs->size() == 1 && specs->front().device.empty()) specs->resize(wanted, specs->front());
  if (specs->size() != wanted)
    return Error{Errc::invalid_argument, 0,
                 "num-sensors=" + std::to_string(wanted) + " but sensors names " +
                     std::to_string(specs->size()) + "; leave num-sensors out or name as many"};
  RigConfig config;
  config.sensors = *std::move(specs);
  config.memory = memory;
  config.layout = layout;
  config.grouping = grouping();
  config.max_batches = max_batches;
  if (leaky == Leaky::downstream)
    config.max_batches = std::min(config.max_batches + NewestBatch::kRoom, kMaxBatches);
  return config;
}

void install_src_properties(GObjectClass* object_class) {
  const auto playing = static_cast<GParamFlags>(GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(
      object_class, PROP_SENSORS,
      g_param_spec_string("sensors", "Sensors",
                          "The sensors in slot order, separated by ';': sim?option=value&..., "
                          "v4l2:/dev/video0?io=auto. One sim alone stands for num-sensors of them; "
                          "empty: simulated sensors. `lockstep sensors` lists what there is. Fixed "
                          "while they are open, from READY on",
                          "", writable()));
  g_object_class_install_property(
      object_class, PROP_NUM_SENSORS,
      g_param_spec_uint("num-sensors", "Number of sensors",
                        "Number of sensors. If not set: as many as `sensors` names, or 4 "
                        "simulated ones where it names none. Fixed while the sensors are open",
                        1, kMaxSensors, kDefaultNumSensors, writable()));
  g_object_class_install_property(
      object_class, PROP_MEMORY,
      g_param_spec_string(
          "memory", "Memory",
          "Memory of the batches: memfd (shared memory, one fd per slot), udmabuf "
          "(the same, each slot a dma-buf that devices can import) or cuda (memory of the first "
          "GPU, cuda:1 of the next; where the plugin was built with it). Fixed while the sensors "
          "are "
          "open",
          "memfd", writable()));
  g_object_class_install_property(
      object_class, PROP_LAYOUT,
      g_param_spec_enum(
          "layout", "Layout",
          "Whether each batch is one block of memory. Fixed while the sensors are open",
          layout_type(), static_cast<int>(BatchLayout::automatic), writable()));
  g_object_class_install_property(
      object_class, PROP_SYNC_TOLERANCE,
      g_param_spec_int64(
          "sync-tolerance", "Synchronisation tolerance",
          "Most that the capture times within one batch may differ, in ns (-1: half a "
          "frame period)",
          -1, kMaxWait.count(), -1, writable(playing)));
  g_object_class_install_property(
      object_class, PROP_MAX_WAIT,
      g_param_spec_int64("max-wait", "Longest wait",
                         "How long the first frame of a batch waits for the last, in ns (-1: one "
                         "frame period)",
                         -1, kMaxWait.count(), -1, writable(playing)));
  g_object_class_install_property(
      object_class, PROP_ON_MISSING,
      g_param_spec_enum(
          "on-missing", "On missing", "What becomes of a batch that lacks a frame after max-wait",
          on_missing_type(), static_cast<int>(OnMissing::partial), writable(playing)));
  g_object_class_install_property(
      object_class, PROP_MAX_BATCHES,
      g_param_spec_uint(
          "max-batches", "Most batches",
          "Batches that may be downstream at once; while all are, frames are dropped and counted. "
          "Fixed while the sensors are open",
          1, kMaxBatches, 4, writable()));
  g_object_class_install_property(
      object_class, PROP_LEAKY,
      g_param_spec_enum(
          "leaky", "Leaky",
          "What becomes of batches that downstream is too slow for; `downstream` suits "
          "a live view, with no queue behind or a leaky one. Fixed while the sensors "
          "are open",
          leaky_type(), static_cast<int>(Leaky::no), writable()));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Counters since the start: batches, incomplete, by-reference, "
          "dropped-batches, copies; skew and latency percentiles in ns; and for each "
          "sensor its frames, missing, repeated, copies and drops by reason. Of the light: uniform "
          "(batches under one revision in full), revisions, superseded (revisions that came faster "
          "than frames, and gave way to a later one), late-writes, refused-settings, "
          "light-reports-skipped; and for each sensor what is wanted and, as settings, the "
          "ranges, steps and delays that it has",
          GST_TYPE_STRUCTURE, GParamFlags(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

bool is_grouping_property(guint id) {
  return id == PROP_SYNC_TOLERANCE || id == PROP_MAX_WAIT || id == PROP_ON_MISSING;
}

bool set_src_property(SrcSettings& settings, guint id, const GValue* value) {
  switch (id) {
    case PROP_SENSORS:
      settings.sensors = string_of(value);
      return true;
    case PROP_NUM_SENSORS:
      settings.num_sensors = g_value_get_uint(value);
      return true;
    case PROP_MEMORY:
      settings.memory = string_of(value);
      return true;
    case PROP_LAYOUT:
      settings.layout = static_cast<BatchLayout>(g_value_get_enum(value));
      return true;
    case PROP_SYNC_TOLERANCE:
      settings.tolerance = g_value_get_int64(value);
      return true;
    case PROP_MAX_WAIT:
      settings.max_wait = g_value_get_int64(value);
      return true;
    case PROP_ON_MISSING:
      settings.on_missing = static_cast<OnMissing>(g_value_get_enum(value));
      return true;
    case PROP_MAX_BATCHES:
      settings.max_batches = g_value_get_uint(value);
      return true;
    case PROP_LEAKY:
      settings.leaky = static_cast<Leaky>(g_value_get_enum(value));
      return true;
    default:
      return false;
  }
}

bool get_src_property(const SrcSettings& settings, guint id, GValue* value) {
  switch (id) {
    case PROP_SENSORS:
      g_value_set_string(value, settings.sensors.c_str());
      return true;
    case PROP_NUM_SENSORS:
      g_value_set_uint(value, settings.effective_num_sensors());
      return true;
    case PROP_MEMORY:
      g_value_set_string(value, settings.memory.c_str());
      return true;
    case PROP_LAYOUT:
      g_value_set_enum(value, static_cast<int>(settings.layout));
      return true;
    case PROP_SYNC_TOLERANCE:
      g_value_set_int64(value, settings.tolerance);
      return true;
    case PROP_MAX_WAIT:
      g_value_set_int64(value, settings.max_wait);
      return true;
    case PROP_ON_MISSING:
      g_value_set_enum(value, static_cast<int>(settings.on_missing));
      return true;
    case PROP_MAX_BATCHES:
      g_value_set_uint(value, settings.max_batches);
      return true;
    case PROP_LEAKY:
      g_value_set_enum(value, static_cast<int>(settings.leaky));
      return true;
    default:
      return false;
  }
}

}  // namespace lockstep
