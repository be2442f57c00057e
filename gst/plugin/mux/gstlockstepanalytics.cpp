// SPDX-License-Identifier: MIT
#include "gstlockstepanalytics.h"

#include <memory>
#include <utility>

#ifdef LOCKSTEP_HAVE_ANALYTICS
#include <gst/analytics/analytics.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>

#include "gstlockstepmuxcaps.h"
#endif

namespace lockstep {

#ifdef LOCKSTEP_HAVE_ANALYTICS

CapsPtr AnalyticsBatches::caps_of(const MuxSet& set) {
  CapsPtr caps(gst_caps_new_empty());
  GstStructure* structure = gst_structure_new_empty("multistream/x-analytics-batch");
  set_streams(structure, lockstep::caps_of(set.slots));
  gst_caps_append_structure_full(
      caps.get(), structure,
      gst_caps_features_new(GST_CAPS_FEATURE_META_GST_ANALYTICS_BATCH_META, nullptr));
  return caps;
}

void AnalyticsBatches::begin(const MuxSet& set, const GstSegment& segment) {
  events_.clear();
  for (const auto& slot : set.slots) {
    auto& events = events_.emplace_back();
    events.emplace_back(gst_event_new_stream_start(slot.name.c_str()));
    if (slot.kind) events.emplace_back(gst_event_new_caps(slot.kind->caps.get()));
    events.emplace_back(gst_event_new_segment(&segment));
  }
}

void AnalyticsBatches::describe(GstBuffer* batch) const {
  const GstLockstepBatchMeta* ours = gst_buffer_get_lockstep_batch_meta(batch);
  GstAnalyticsBatchMeta* meta = gst_buffer_add_analytics_batch_meta(batch);
  meta->n_streams = ours->n_frames;
  meta->streams = g_new0(GstAnalyticsBatchStream, ours->n_frames);
  for (guint slot = 0; slot < ours->n_frames; ++slot) {
    GstAnalyticsBatchStream& stream = meta->streams[slot];
    const auto& events = events_[slot];
    stream.index = slot;
    stream.n_sticky_events = events.size();
    stream.sticky_events = g_new(GstEvent*, events.size());
    for (std::size_t i = 0; i < events.size(); ++i)
      stream.sticky_events[i] = gst_event_ref(events[i].get());
    GstBuffer* frame = ours->frames[slot].buffer;
    if (!frame) continue;
    stream.n_objects = 1;
    stream.objects = g_new(GstMiniObject*, 1);
    stream.objects[0] = GST_MINI_OBJECT_CAST(gst_buffer_ref(frame));
  }
}

#else

CapsPtr AnalyticsBatches::caps_of(const MuxSet&) { return nullptr; }
void AnalyticsBatches::begin(const MuxSet&, const GstSegment&) {}
void AnalyticsBatches::describe(GstBuffer*) const {}

#endif

}  // namespace lockstep
