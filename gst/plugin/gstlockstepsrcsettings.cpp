// SPDX-License-Identifier: MIT
#include "gstlockstepsrcsettings.h"

#include <utility>

#include "gstlockstepenums.h"

namespace lockstep {
namespace {

constexpr guint kDefaultNumSensors = 4;

std::string string_of(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text ? text : "";
}

}  // namespace

guint SrcSettings::effective_num_sensors() const {
  if (num_sensors) return *num_sensors;
  if (sensors.empty()) return kDefaultNumSensors;
  auto specs = parse_sensor_list(sensors);
  return specs ? static_cast<guint>(specs->size()) : 0;
}

Grouping SrcSettings::grouping() const {
  return {optional_time(tolerance), optional_time(max_wait), on_missing};
}

Result<RigConfig> SrcSettings::rig_config() const {
  const std::size_t wanted = effective_num_sensors();
  auto specs = parse_sensor_list(sensors.empty() ? "sim" : sensors);
  if (!specs) return specs.error();
  if (num_sensors && (wanted < 1 || wanted > kMaxSensors))
    return Error{
        Errc::invalid_argument, 0,
        "num-sensors=" + std::to_string(wanted) + ", wanted 1 to " + std::to_string(kMaxSensors)};
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
  return config;
}

void install_src_properties(GObjectClass* object_class) {
  const auto playing = static_cast<GParamFlags>(GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(
      object_class, PROP_SENSORS,
      g_param_spec_string("sensors", "Sensors",
                          "The sensors in slot order, separated by ';': sim?option=value&..., "
                          "v4l2:/dev/video0?io=auto. One sim alone stands for num-sensors of them; "
                          "empty: simulated sensors. `lockstep sensors` lists what there is",
                          "", writable()));
  g_object_class_install_property(
      object_class, PROP_NUM_SENSORS,
      g_param_spec_uint("num-sensors", "Number of sensors",
                        "Number of sensors, 1 to 64. If not set: as many as `sensors` names, or 4 "
                        "simulated ones where it names none",
                        0, G_MAXUINT, kDefaultNumSensors, writable()));
  g_object_class_install_property(
      object_class, PROP_MEMORY,
      g_param_spec_string(
          "memory", "Memory",
          "Memory of the batches: memfd (shared memory, one fd per slot), udmabuf "
          "(the same, each slot a dma-buf that devices can import) or cuda (memory of the first "
          "GPU, cuda:1 of the next; where the plugin was built with it)",
          "memfd", writable()));
  g_object_class_install_property(
      object_class, PROP_LAYOUT,
      g_param_spec_enum("layout", "Layout", "Whether each batch is one block of memory",
                        layout_type(), static_cast<int>(BatchLayout::automatic), writable()));
  g_object_class_install_property(
      object_class, PROP_SYNC_TOLERANCE,
      g_param_spec_uint64("sync-tolerance", "Synchronisation tolerance",
                          "Most that the capture times within one batch may differ, in ns, up to "
                          "10 s (18446744073709551615: half a frame period)",
                          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, writable(playing)));
  g_object_class_install_property(
      object_class, PROP_MAX_WAIT,
      g_param_spec_uint64(
          "max-wait", "Longest wait",
          "How long the first frame of a batch waits for the last, in ns, up to 10 s "
          "(18446744073709551615: one frame period)",
          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, writable(playing)));
  g_object_class_install_property(
      object_class, PROP_ON_MISSING,
      g_param_spec_enum(
          "on-missing", "On missing", "What becomes of a batch that lacks a frame after max-wait",
          on_missing_type(), static_cast<int>(OnMissing::partial), writable(playing)));
  g_object_class_install_property(
      object_class, PROP_MAX_BATCHES,
      g_param_spec_uint(
          "max-batches", "Most batches",
          "Batches that may be downstream at once, 1 to 64; while all are, frames are "
          "dropped and counted",
          0, G_MAXUINT, 4, writable()));
  g_object_class_install_property(
      object_class, PROP_STATS,
      g_param_spec_boxed(
          "stats", "Statistics",
          "Counters since the start: batches, incomplete, by-reference, "
          "dropped-batches, copies; skew and latency percentiles in ns; and for each "
          "sensor its frames, missing, repeated, copies and drops by reason. Of the light: uniform "
          "(batches under one revision in full), revisions, late-writes, refused-settings, "
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
      settings.tolerance = g_value_get_uint64(value);
      return true;
    case PROP_MAX_WAIT:
      settings.max_wait = g_value_get_uint64(value);
      return true;
    case PROP_ON_MISSING:
      settings.on_missing = static_cast<OnMissing>(g_value_get_enum(value));
      return true;
    case PROP_MAX_BATCHES:
      settings.max_batches = g_value_get_uint(value);
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
      g_value_set_uint64(value, settings.tolerance);
      return true;
    case PROP_MAX_WAIT:
      g_value_set_uint64(value, settings.max_wait);
      return true;
    case PROP_ON_MISSING:
      g_value_set_enum(value, static_cast<int>(settings.on_missing));
      return true;
    case PROP_MAX_BATCHES:
      g_value_set_uint(value, settings.max_batches);
      return true;
    default:
      return false;
  }
}

}  // namespace lockstep
