// SPDX-License-Identifier: MIT
#include "gstlocksteprunningtime.h"

#include <algorithm>

#include "gstlockstepclock.h"

namespace lockstep {

GstClockTimeDiff RunningTime::offset(GstElement* element, const Rig& rig) {
  if (rig.clock() == Clock::simulated) return 0;
  return -monotonic_minus_running(element).value_or(rig.now()).count();
}

Nanoseconds RunningTime::begin(const Rig& rig) {
  const GstClockTime base_time = gst_element_get_base_time(element_);
  GstClockTime start_time = gst_element_get_start_time(element_);
  if (!GST_CLOCK_TIME_IS_VALID(start_time)) start_time = 0;
  // After a pause it goes on later than it went on before; otherwise it has begun anew, as after a flushing seek.
  if (base_time != base_time_ && start_time <= start_time_) last_pts_.reset();
  base_time_ = base_time;
  start_time_ = start_time;
  const auto from = static_cast<gint64>(std::max(start_time, last_pts_ ? *last_pts_ + 1 : 0));
  return Nanoseconds(from - offset(rig));
}

}  // namespace lockstep
