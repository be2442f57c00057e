// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>

#include "lockstep/time.h"

namespace lockstep {

/// The types of the properties `layout` (BatchLayout) and `on-missing` (OnMissing).
GType layout_type();
GType on_missing_type();

/// A time that users leave open with GST_CLOCK_TIME_NONE. \units ns.
std::optional<Nanoseconds> optional_time(guint64 value);

/// Flags of a property that is read and written, and when it may change.
GParamFlags writable(GParamFlags mutability = GParamFlags(0));

}  // namespace lockstep
