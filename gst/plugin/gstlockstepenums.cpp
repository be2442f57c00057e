// SPDX-License-Identifier: MIT
#include "gstlockstepenums.h"

#include <algorithm>

#include "lockstep/rig.h"

namespace lockstep {

GType layout_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(BatchLayout::automatic), "Contiguous where that is free", "auto"},
      {static_cast<int>(BatchLayout::contiguous),
       "Always contiguous, copying once what lies elsewhere", "contiguous"},
      {static_cast<int>(BatchLayout::reference), "Always by reference, never a copy", "reference"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepBatchLayout", values);
  return type;
}

GType on_missing_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(OnMissing::partial), "The batch leaves with that slot empty", "partial"},
      {static_cast<int>(OnMissing::repeat), "The sensor's last frame again, marked as repeated",
       "repeat"},
      {static_cast<int>(OnMissing::drop), "The batch does not leave; its frames are counted",
       "drop"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepOnMissing", values);
  return type;
}

GType light_mode_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(LightMode::manual), "Nobody but the user", "manual"},
      {static_cast<int>(LightMode::shared),
       "One exposure, gain and white balance for all, from the metering of all", "shared"},
      {static_cast<int>(LightMode::follow), "One sensor is metered, all follow it", "follow"},
      {static_cast<int>(LightMode::independent), "Each sensor by its own metering", "independent"},
      {static_cast<int>(LightMode::application), "The application, by the signal `light`",
       "application"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepLightMode", values);
  return type;
}

GType antiflicker_type() {
  static const GEnumValue values[] = {
      {kAntiflickerOff, "Any exposure", "off"},
      {kAntiflicker50, "Multiples of 10 ms, for lamps on mains of 50 Hz", "50"},
      {kAntiflicker60, "Multiples of 8.333 ms, for lamps on mains of 60 Hz", "60"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepAntiflicker", values);
  return type;
}

GType metering_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(MeteringPattern::average), "The whole picture alike", "average"},
      {static_cast<int>(MeteringPattern::centre), "The middle more than the rim", "centre"},
      {static_cast<int>(MeteringPattern::spot), "Nothing but the middle", "spot"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepMetering", values);
  return type;
}

std::optional<double> number_of(const GValue* value) {
  switch (G_VALUE_TYPE(value)) {
    case G_TYPE_INT:
      return g_value_get_int(value);
    case G_TYPE_UINT:
      return g_value_get_uint(value);
    case G_TYPE_LONG:
      return static_cast<double>(g_value_get_long(value));
    case G_TYPE_ULONG:
      return static_cast<double>(g_value_get_ulong(value));
    case G_TYPE_INT64:
      return static_cast<double>(g_value_get_int64(value));
    case G_TYPE_UINT64:
      return static_cast<double>(g_value_get_uint64(value));
    case G_TYPE_FLOAT:
      return g_value_get_float(value);
    case G_TYPE_DOUBLE:
      return g_value_get_double(value);
    default:
      return std::nullopt;
  }
}

std::optional<Nanoseconds> optional_time(guint64 value) {
  if (value == GST_CLOCK_TIME_NONE) return std::nullopt;
  return Nanoseconds(std::min<guint64>(value, G_MAXINT64));
}

GParamFlags writable(GParamFlags mutability) {
  return GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | mutability);
}

}  // namespace lockstep
