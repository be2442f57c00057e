// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>

#include "lockstep/time.h"

namespace lockstep {

/// What to add to a running time of the element's pipeline to have it on CLOCK_MONOTONIC; nothing without a clock. The
/// clock may be any, so it is read anew each time: a little differently, unless it is CLOCK_MONOTONIC itself.
std::optional<Nanoseconds> monotonic_minus_running(GstElement* element);

}  // namespace lockstep
