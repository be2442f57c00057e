// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>

#include "lockstep/rig.h"

namespace lockstep {

/// The running time of a live source, from pause to pause: what capture times are in it, and from when on frames are wanted.
///
/// A pipeline changes its base time when it goes on, while frames from before are on their way. Converted by the new one they
/// would be earlier than what has been passed on.
///
/// \thread  the streaming thread.
class RunningTime {
 public:
  explicit RunningTime(GstElement* element) : element_(element) {}

  /// Whether capture times mean something else than when begin() was called last.
  bool has_changed() const { return gst_element_get_base_time(element_) != base_time_; }

  /// Running time begins, or goes on. Returns the capture time from which on frames are wanted: the later of where it began or
  /// went on and what was passed on last.
  /// \units  on the rig's clock.
  Nanoseconds begin(const Rig& rig);

  /// What to add to a capture time to have it in running time. On a virtual clock they are the same.
  GstClockTimeDiff offset(const Rig& rig) const { return offset(element_, rig); }
  static GstClockTimeDiff offset(GstElement* element, const Rig& rig);

  /// A batch with that PTS is passed on.
  void passed_on(GstClockTime pts) { last_pts_ = pts; }

  /// The stream is over: the next begins with a running time of its own.
  void reset() { *this = RunningTime(element_); }

 private:
  GstElement* element_;
  std::optional<GstClockTime> base_time_;  // at begin()
  GstClockTime start_time_ = 0;            // the same
  std::optional<GstClockTime> last_pts_;
};

}  // namespace lockstep
