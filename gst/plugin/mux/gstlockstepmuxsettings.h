// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>

#include "gstlockstephandles.h"
#include "lockstep/rig.h"

namespace lockstep {

/// By what a lockstepmux groups frames.
enum class SyncMode {
  capture_time,  ///< Their GstReferenceTimestampMeta.
  running_time,  ///< Their PTS in running time.
  arrival,       ///< Nothing: whatever is newest on each pad.
};

/// What becomes of a frame when as many as may wait on its pad do.
enum class LatePolicy {
  block,  ///< Upstream waits.
  leaky,  ///< It is dropped as overflow.
};

/// What the user has set on a lockstepmux.
struct MuxSettings {
  SyncMode sync_mode = SyncMode::running_time;
  CapsPtr reference_caps;                   ///< Null: the first reference timestamp there is.
  guint64 tolerance = GST_CLOCK_TIME_NONE;  ///< NONE: half a frame period of the fastest pad.
  guint64 max_wait = GST_CLOCK_TIME_NONE;   ///< NONE: see MuxTiming.
  OnMissing on_missing = OnMissing::partial;
  guint max_queued = 0;  ///< 0: as many as the wait and the latency upstream take.
  LatePolicy late_policy = LatePolicy::block;
  std::string pace = "slowest";  ///< "slowest", "all", or the name of a pad.
  std::string memory = "memfd";
  BatchLayout layout = BatchLayout::automatic;

  MuxSettings() = default;
  MuxSettings(const MuxSettings& other) { *this = other; }
  MuxSettings& operator=(const MuxSettings& other);
  ~MuxSettings() = default;
};

/// The properties of lockstepmux, and nothing else of it.
void install_mux_properties(GObjectClass* object_class);
/// Makes GstAggregator's emit-signals, of the element or its pads, one that cannot be set.
void install_idle_emit_signals(GObjectClass* klass, guint id);
/// Whether `id` was one of them and `value` could be read into `settings`.
bool set_mux_property(MuxSettings& settings, guint id, const GValue* value);
bool get_mux_property(const MuxSettings& settings, guint id, GValue* value);

/// Ids of the properties; `stats` is the element's own to answer.
enum MuxProperty : guint {
  MUX_PROP_SYNC_MODE = 1,
  MUX_PROP_REFERENCE_TIMESTAMP_CAPS,
  MUX_PROP_SYNC_TOLERANCE,
  MUX_PROP_MAX_WAIT,
  MUX_PROP_ON_MISSING,
  MUX_PROP_MAX_QUEUED,
  MUX_PROP_LATE_POLICY,
  MUX_PROP_PACE,
  MUX_PROP_MEMORY,
  MUX_PROP_LAYOUT,
  MUX_PROP_STATS,
  MUX_PROP_START_TIME,
  MUX_PROP_START_TIME_SELECTION,
  MUX_PROP_EMIT_SIGNALS,
};

}  // namespace lockstep
