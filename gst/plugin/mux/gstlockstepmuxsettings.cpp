// SPDX-License-Identifier: MIT
#include "gstlockstepmuxsettings.h"

#include <gst/base/gstaggregator.h>

#include "gstlockstepenums.h"

namespace lockstep {
namespace {

GType sync_mode_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(SyncMode::capture_time),
       "Capture time: the frames' GstReferenceTimestampMeta", "capture-time"},
      {static_cast<int>(SyncMode::running_time), "Running time of the frames' PTS", "running-time"},
      {static_cast<int>(SyncMode::arrival), "None: whatever is newest on each pad", "arrival"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepSyncMode", values);
  return type;
}

GType late_policy_type() {
  static const GEnumValue values[] = {
      {static_cast<int>(LatePolicy::block), "What is upstream of the pad waits", "block"},
      {static_cast<int>(LatePolicy::leaky), "The frame is dropped and counted as overflow",
       "leaky"},
      {0, nullptr, nullptr}};
  static const GType type = g_enum_register_static("GstLockstepLatePolicy", values);
  return type;
}

std::string text_of(const GValue* value) {
  const gchar* text = g_value_get_string(value);
  return text ? text : "";
}

void install_sync_properties(GObjectClass* klass, GParamFlags playing) {
  g_object_class_install_property(
      klass, MUX_PROP_SYNC_MODE,
      g_param_spec_enum("sync-mode", "Synchronisation mode",
                        "What makes frames belong together. arrival is for live sources: of others "
                        "it takes what is fastest",
                        sync_mode_type(), static_cast<int>(SyncMode::running_time), playing));
  g_object_class_install_property(
      klass, MUX_PROP_REFERENCE_TIMESTAMP_CAPS,
      g_param_spec_boxed("reference-timestamp-caps", "Reference timestamp caps",
                         "Which GstReferenceTimestampMeta sync-mode=capture-time reads, such as "
                         "timestamp/x-ntp (NULL: the first that a frame has)",
                         GST_TYPE_CAPS, playing));
  g_object_class_install_property(
      klass, MUX_PROP_SYNC_TOLERANCE,
      g_param_spec_uint64("sync-tolerance", "Synchronisation tolerance",
                          "Most that the times within one batch may differ, in ns "
                          "(18446744073709551615: half a frame period of the fastest pad)",
                          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, playing));
  g_object_class_install_property(
      klass, MUX_PROP_MAX_WAIT,
      g_param_spec_uint64(
          "max-wait", "Longest wait",
          "How long a frame waits for the others of its batch, in ns (0: not at all), in live "
          "pipelines beyond the latency upstream (18446744073709551615: one frame "
          "period of the slowest pad, and 10 s where sources are not live)",
          0, G_MAXUINT64, GST_CLOCK_TIME_NONE, playing));
  g_object_class_install_property(
      klass, MUX_PROP_ON_MISSING,
      g_param_spec_enum("on-missing", "On missing",
                        "What becomes of a batch that lacks a frame after max-wait",
                        on_missing_type(), static_cast<int>(OnMissing::partial), playing));
}

void install_queue_properties(GObjectClass* klass, GParamFlags playing) {
  g_object_class_install_property(
      klass, MUX_PROP_MAX_QUEUED,
      g_param_spec_uint("max-queued", "Most queued",
                        "Frames that may wait on one pad (0: as many as max-wait and the latency "
                        "upstream take, 4 where sources are not live)",
                        0, G_MAXUINT, 0, playing));
  g_object_class_install_property(
      klass, MUX_PROP_LATE_POLICY,
      g_param_spec_enum("late-policy", "Late policy",
                        "What becomes of a frame when max-queued frames wait on its pad already",
                        late_policy_type(), static_cast<int>(LatePolicy::block), playing));
  g_object_class_install_property(
      klass, MUX_PROP_PACE,
      g_param_spec_string("pace", "Pace",
                          "Whose frames make batches where pads differ in frame rate: slowest, "
                          "all, or the name of a pad such as sink_0. Frames between are dropped "
                          "and counted as surplus",
                          "slowest", playing));
}

// GstAggregator has them for elements that make up when their output begins, and that use its queues; here batches begin
// with their frames, which never are in those.
void make_idle_properties_read_only(GObjectClass* klass) {
  const auto flags = GParamFlags(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_property(
      klass, MUX_PROP_START_TIME,
      g_param_spec_uint64("start-time", "Start time",
                          "Never set: the first batch has the time of its frames", 0, G_MAXUINT64,
                          GST_CLOCK_TIME_NONE, flags));
  g_object_class_install_property(
      klass, MUX_PROP_START_TIME_SELECTION,
      g_param_spec_enum("start-time-selection", "Start time selection",
                        "Always first: the first batch has the time of its frames",
                        g_object_class_find_property(klass, "start-time-selection")->value_type,
                        GST_AGGREGATOR_START_TIME_SELECTION_FIRST, flags));
  install_idle_emit_signals(klass, MUX_PROP_EMIT_SIGNALS);
}

}  // namespace

void install_idle_emit_signals(GObjectClass* klass, guint id) {
  g_object_class_install_property(
      klass, id,
      g_param_spec_boolean("emit-signals", "Emit signals",
                           "Never set: what would be signalled is not used here", FALSE,
                           GParamFlags(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

MuxSettings& MuxSettings::operator=(const MuxSettings& other) {
  if (this == &other) return *this;
  sync_mode = other.sync_mode;
  reference_caps.reset(other.reference_caps ? gst_caps_ref(other.reference_caps.get()) : nullptr);
  tolerance = other.tolerance;
  max_wait = other.max_wait;
  on_missing = other.on_missing;
  max_queued = other.max_queued;
  late_policy = other.late_policy;
  pace = other.pace;
  memory = other.memory;
  layout = other.layout;
  return *this;
}

void install_mux_properties(GObjectClass* klass) {
  const GParamFlags playing = writable(static_cast<GParamFlags>(GST_PARAM_MUTABLE_PLAYING));
  const GParamFlags ready = writable(static_cast<GParamFlags>(GST_PARAM_MUTABLE_READY));
  install_sync_properties(klass, playing);
  install_queue_properties(klass, playing);
  make_idle_properties_read_only(klass);
  g_object_class_install_property(
      klass, MUX_PROP_MEMORY,
      g_param_spec_string("memory", "Memory",
                          "Memory of the slots that upstream is offered to write into: memfd "
                          "(shared memory, one fd per slot) or udmabuf (the same, each slot a "
                          "dma-buf that devices can import, as v4l2src io-mode=dmabuf-import does)",
                          "memfd", ready));
  g_object_class_install_property(
      klass, MUX_PROP_LAYOUT,
      g_param_spec_enum("layout", "Layout", "Whether each batch is one block of memory",
                        layout_type(), static_cast<int>(BatchLayout::automatic), ready));
  g_object_class_install_property(
      klass, MUX_PROP_STATS,
      g_param_spec_boxed("stats", "Statistics",
                         "Counters since the start: batches, incomplete, by-reference, "
                         "dropped-batches, copies; skew and latency percentiles in ns; and for "
                         "each pad its frames, missing, repeated, copies and drops by reason",
                         GST_TYPE_STRUCTURE,
                         GParamFlags(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

bool set_mux_property(MuxSettings& settings, guint id, const GValue* value) {
  switch (id) {
    case MUX_PROP_SYNC_MODE:
      settings.sync_mode = static_cast<SyncMode>(g_value_get_enum(value));
      return true;
    case MUX_PROP_REFERENCE_TIMESTAMP_CAPS:
      settings.reference_caps.reset(static_cast<GstCaps*>(g_value_dup_boxed(value)));
      return true;
    case MUX_PROP_SYNC_TOLERANCE:
      settings.tolerance = g_value_get_uint64(value);
      return true;
    case MUX_PROP_MAX_WAIT:
      settings.max_wait = g_value_get_uint64(value);
      return true;
    case MUX_PROP_ON_MISSING:
      settings.on_missing = static_cast<OnMissing>(g_value_get_enum(value));
      return true;
    case MUX_PROP_MAX_QUEUED:
      settings.max_queued = g_value_get_uint(value);
      return true;
    case MUX_PROP_LATE_POLICY:
      settings.late_policy = static_cast<LatePolicy>(g_value_get_enum(value));
      return true;
    case MUX_PROP_PACE:
      settings.pace = text_of(value);
      return true;
    case MUX_PROP_MEMORY:
      settings.memory = text_of(value);
      return true;
    case MUX_PROP_LAYOUT:
      settings.layout = static_cast<BatchLayout>(g_value_get_enum(value));
      return true;
    default:
      return false;
  }
}

bool get_mux_property(const MuxSettings& settings, guint id, GValue* value) {
  switch (id) {
    case MUX_PROP_SYNC_MODE:
      g_value_set_enum(value, static_cast<int>(settings.sync_mode));
      return true;
    case MUX_PROP_REFERENCE_TIMESTAMP_CAPS:
      g_value_set_boxed(value, settings.reference_caps.get());
      return true;
    case MUX_PROP_SYNC_TOLERANCE:
      g_value_set_uint64(value, settings.tolerance);
      return true;
    case MUX_PROP_MAX_WAIT:
      g_value_set_uint64(value, settings.max_wait);
      return true;
    case MUX_PROP_ON_MISSING:
      g_value_set_enum(value, static_cast<int>(settings.on_missing));
      return true;
    case MUX_PROP_MAX_QUEUED:
      g_value_set_uint(value, settings.max_queued);
      return true;
    case MUX_PROP_LATE_POLICY:
      g_value_set_enum(value, static_cast<int>(settings.late_policy));
      return true;
    case MUX_PROP_PACE:
      g_value_set_string(value, settings.pace.c_str());
      return true;
    case MUX_PROP_MEMORY:
      g_value_set_string(value, settings.memory.c_str());
      return true;
    case MUX_PROP_LAYOUT:
      g_value_set_enum(value, static_cast<int>(settings.layout));
      return true;
    case MUX_PROP_EMIT_SIGNALS:
      g_value_set_boolean(value, FALSE);
      return true;
    case MUX_PROP_START_TIME:
      g_value_set_uint64(value, GST_CLOCK_TIME_NONE);
      return true;
    case MUX_PROP_START_TIME_SELECTION:
      g_value_set_enum(value, GST_AGGREGATOR_START_TIME_SELECTION_FIRST);
      return true;
    default:
      return false;
  }
}

}  // namespace lockstep
