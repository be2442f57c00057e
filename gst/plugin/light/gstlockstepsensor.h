// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gstlocksteplightcontrol.h"
#include "lockstep/sensor_spec.h"

G_BEGIN_DECLS

#define GST_TYPE_LOCKSTEP_SENSOR (gst_lockstep_sensor_get_type())
G_DECLARE_FINAL_TYPE(GstLockstepSensor, gst_lockstep_sensor, GST, LOCKSTEP_SENSOR, GstObject)

G_END_DECLS

namespace lockstep {

/// The children of a lockstepsrc, `sensor_0` and so on: what is set of one sensor alone. They are made when they are
/// first asked for, which may be before it is known how many sensors there are.
///
/// \thread  any; forget() once nobody asks any more.
class SensorChildren {
 public:
  /// What the children ask of their source; called from whatever thread sets a property, never once they are forgotten.
  struct Source {
    std::function<void()> hand_over;                  ///< Properties of a child have changed.
    std::function<std::string(std::size_t)> spec_of;  ///< Sensor i as the user names it.
  };

  SensorChildren(GstObject* parent, std::shared_ptr<LightControl> control, Source source);
  ~SensorChildren();
  SensorChildren(const SensorChildren&) = delete;
  SensorChildren& operator=(const SensorChildren&) = delete;

  /// Child `index`, with a reference for the caller; null where there can be none.
  GObject* get(std::size_t index);
  /// The index that a name such as "sensor_12" has.
  static std::optional<std::size_t> index_of(const char* name);
  /// Lets go of them all; those that others hold go on as objects without a parent.
  void forget();

 private:
  GstObject* parent_;
  std::shared_ptr<LightControl> control_;
  Source source_;
  std::array<GstObject*, kMaxSensors> children_{};  // parent's object lock
};

}  // namespace lockstep
