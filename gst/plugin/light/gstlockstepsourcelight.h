// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gstlocksteplightcontrol.h"
#include "gstlocksteplightsignal.h"
#include "gstlockstepsensor.h"
#include "gstlockstepstats.h"

namespace lockstep {

/// The light of a lockstepsrc: its properties, its children and its signal. What is refused is posted as a warning, and
/// if it is a setting as "lockstep-settings-refused" too.
///
/// \thread  any, but begin() and end() one at a time.
class SourceLight {
 public:
  /// What it asks of the source.
  struct Source {
    GstElement* element = nullptr;
    guint signal = 0;  ///< From install_light_signal().
    std::function<GstClockTime(Nanoseconds captured)> running_time;
    std::function<std::string(std::size_t sensor)> spec_of;
  };

  explicit SourceLight(Source source);

  /// Properties for which is_light_property().
  void set_property(guint id, const GValue* value);
  void get_property(guint id, GValue* value) const;
  /// Properties have changed: to be called once for each g_object_set().
  void hand_over();

  /// Child "sensor_<index>", or that of a name, with a reference for the caller; null where there can be none.
  GObject* child(std::size_t index);
  GObject* child(const char* name);
  /// Lets go of the children.
  void forget_children();

  /// Puts into a rig's configuration what has been set so far.
  /// \errors  invalid_argument  it does not suit the number of sensors.
  Result<void> configure(RigConfig& config);
  /// The rig is configured and about to start.
  void begin(const std::shared_ptr<Rig>& rig);
  /// The rig is about to stop. Waits for a handler of the signal to return.
  void end();

  LightStats stats(const Rig& rig) const;

 private:
  // Posts it, or keeps it for configure() where there is no bus: a launch line is set before it is part of a pipeline.
  void report(const LightControl::Refused& refused);
  std::vector<LightControl::Refused> take_unreported();

  Source source_;
  std::shared_ptr<LightControl> control_;
  std::shared_ptr<SignalAlgorithm> algorithm_;
  SensorChildren children_;
  std::mutex mutex_;
  std::vector<LightControl::Refused> unreported_;  // guarded by mutex_
};

}  // namespace lockstep
