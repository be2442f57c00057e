// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>

#include "lockstep/time.h"

namespace lockstep {

/// The types of the properties `layout` (BatchLayout) and `on-missing` (OnMissing).
GType layout_type();
GType on_missing_type();

/// The types of the properties `light-mode` (LightMode), `antiflicker` and `metering`.
GType light_mode_type();
GType antiflicker_type();
GType metering_type();

/// Values of `antiflicker`. \units Hz of the mains
enum AntiflickerValue : gint { kAntiflickerOff = 0, kAntiflicker50 = 50, kAntiflicker60 = 60 };

/// Values of `metering`.
enum class MeteringPattern : gint { average, centre, spot };

/// A time that users leave open with GST_CLOCK_TIME_NONE. \units ns.
std::optional<Nanoseconds> optional_time(guint64 value);

/// What a value of any type of number holds; nothing where it is of another type.
std::optional<double> number_of(const GValue* value);

/// Flags of a property that is read and written, and when it may change.
GParamFlags writable(GParamFlags mutability = GParamFlags(0));

}  // namespace lockstep
