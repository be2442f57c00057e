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

std::optional<Nanoseconds> optional_time(guint64 value) {
  if (value == GST_CLOCK_TIME_NONE) return std::nullopt;
  return Nanoseconds(std::min<guint64>(value, G_MAXINT64));
}

GParamFlags writable(GParamFlags mutability) {
  return GParamFlags(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | mutability);
}

}  // namespace lockstep
