// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <vector>

#include "gstlockstepcollator.h"
#include "gstlockstephandles.h"

/// The batches of GStreamer's own analytics elements, from GStreamer 1.28 on: analyticssplitter and others read a mux's
/// batch by them. Where that is not there, nothing is offered.
///
/// \source  gst-libs/gst/analytics/gstanalyticsbatchmeta.h, GStreamer 1.28.
#ifdef LOCKSTEP_HAVE_ANALYTICS
#define LOCKSTEP_ANALYTICS_CAPS "; multistream/x-analytics-batch(meta:GstAnalyticsBatchMeta)"
#else
#define LOCKSTEP_ANALYTICS_CAPS ""
#endif

namespace lockstep {

/// Tells a batch as analytics elements have it, beside our own meta.
///
/// \thread  one caller at a time.
class AnalyticsBatches {
 public:
  /// Caps of such batches: those of each slot in a field `streams`; null where there is no such meta.
  static CapsPtr caps_of(const MuxSet& set);
  /// Batches are of these slots, and their times in that segment, from now on.
  void begin(const MuxSet& set, const GstSegment& segment);
  /// Adds the meta, whose streams are the slots, to a batch with our own. Without such a meta it does nothing.
  void describe(GstBuffer* batch) const;

 private:
  struct Unref {
    void operator()(GstEvent* event) const { gst_event_unref(event); }
  };
  using EventPtr = std::unique_ptr<GstEvent, Unref>;
  std::vector<std::vector<EventPtr>> events_;  // By slot: how its stream begins.
};

}  // namespace lockstep
