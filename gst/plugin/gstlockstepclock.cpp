// SPDX-License-Identifier: MIT
#include "gstlockstepclock.h"

namespace lockstep {

std::optional<Nanoseconds> monotonic_minus_running(GstElement* element) {
  GstClock* clock = gst_element_get_clock(element);
  if (!clock) return std::nullopt;
  const Nanoseconds before = monotonic_now();
  const Nanoseconds time(static_cast<std::int64_t>(gst_clock_get_time(clock)));
  const Nanoseconds after = monotonic_now();
  gst_object_unref(clock);
  const Nanoseconds base(static_cast<std::int64_t>(gst_element_get_base_time(element)));
  const bool is_monotonic = time >= before && time <= after;
  return is_monotonic ? base : before + (after - before) / 2 - (time - base);
}

}  // namespace lockstep
