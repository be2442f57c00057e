// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>

#include "gstlockstepbatchsupply.h"
#include "lockstep/rig.h"

namespace lockstep {

/// What the user has set on a lockstepsrc.
struct SrcSettings {
  std::string sensors;
  std::optional<guint> num_sensors;  ///< Nothing: as many as `sensors` names.
  std::string memory = "memfd";
  BatchLayout layout = BatchLayout::automatic;
  gint64 tolerance = -1;  ///< -1: see Grouping. \units ns
  gint64 max_wait = -1;   ///< -1: see Grouping. \units ns
  OnMissing on_missing = OnMissing::partial;
  guint max_batches = 4;
  Leaky leaky = Leaky::no;

  guint effective_num_sensors() const;
  Grouping grouping() const;
  /// \errors  invalid_argument  no sensor, too many, a bad name, or not as many as num_sensors says.
  Result<RigConfig> rig_config() const;
};

/// The properties of lockstepsrc, and nothing else of it.
void install_src_properties(GObjectClass* object_class);
/// Whether `id` was one of them and `value` could be read into `settings`.
bool set_src_property(SrcSettings& settings, guint id, const GValue* value);
bool get_src_property(const SrcSettings& settings, guint id, GValue* value);
/// Whether it may change while the sensors are open, and takes effect at once.
bool is_grouping_property(guint id);

/// Ids of the properties; `stats` is the element's own to answer.
enum SrcProperty : guint {
  PROP_SENSORS = 1,
  PROP_NUM_SENSORS,
  PROP_MEMORY,
  PROP_LAYOUT,
  PROP_SYNC_TOLERANCE,
  PROP_MAX_WAIT,
  PROP_ON_MISSING,
  PROP_MAX_BATCHES,
  PROP_LEAKY,
  PROP_STATS,
};

}  // namespace lockstep
