// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "gstlockstepanalytics.h"
#include "gstlockstepcollator.h"
#include "gstlockstepmux.h"
#include "gstlockstepmuxsettings.h"
#include "gstlockstepslotsupply.h"
#include "lockstep/histogram.h"

GST_DEBUG_CATEGORY_EXTERN(lockstep_mux_debug);

/// What the files that make up lockstepmux share, and nobody else.
namespace lockstep::mux {

/// What a mux has counted since its start.
struct Counts {
  std::uint64_t batches = 0;
  std::uint64_t incomplete = 0;
  std::uint64_t by_reference = 0;
  std::uint64_t dropped = 0;
  Histogram skew;
  Histogram latency;
};

/// All that a mux knows. `mutex` guards what is not said to be a thread's own; it is taken after GstAggregator's locks, and
/// not held while anything is pushed, posted or asked of another element.
struct State {
  std::mutex mutex;
  MuxSettings settings;
  Collator collator{settings};
  MuxTiming timing;
  GstFlowReturn flow =
      GST_FLOW_OK;  // Of downstream, for all who push to us, but for what a flush makes of it.
  Counts counts;
  bool poked = false;          // The task will look at the collator.
  GstClockID timer = nullptr;  // Owned; for the next deadline.
  Nanoseconds timer_at{0};
  GstClockTime told_wait = 0;          // To the pipeline, as our latency.
  GstClockTime told_delay = 0;         // And how long we can keep frames at most.
  std::shared_ptr<SlotSupply> supply;  // Null: no slots are offered.

  bool flushes_downstream = false;  // Since a FLUSH_START left, until a FLUSH_STOP does.
  guint32 flush_seqnum = 0;         // Of the last FLUSH_START that left.
  guint32 seek_seqnum = 0;          // Of the last seek that was passed on, and of its flush.
  bool is_seeking = false;          // It is being passed on, so that pads flush one by one.
  bool begins_anew = true;          // The next batch is the first since the start or a flush.

  // The source pad's task only.
  const MuxSet* negotiating = nullptr;  // The set whose caps are being settled.
  bool must_negotiate = true;
  std::optional<Error> refused;  // Why its caps were not taken.
  int num_refused = 0;           // Sets in a row that were.
  AnalyticsBatches analytics;
  GstSegment segment;           // Of the batches.
  GstClockTime last_batch = 0;  // Running time of the last one.
  GstClockTime duration = GST_CLOCK_TIME_NONE;

  BatchLayout layout =
      BatchLayout::automatic;  // Since the start; the task and queries only read it.

  std::mutex timing_mutex;               // Held while upstream is asked; taken before `mutex`.
  std::atomic<bool> timing_stale{true};  // Whether upstream is live must be asked anew.
  std::atomic<bool> asks_timing{false};  // Somebody is at it.

  State() { gst_segment_init(&segment, GST_FORMAT_TIME); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};
using Lock = std::unique_lock<std::mutex>;

}  // namespace lockstep::mux

struct _GstLockstepMux {
  GstAggregator parent;
  lockstep::mux::State* state;
};

/// A sink pad; `input` is what the mux knows of it.
#define GST_TYPE_LOCKSTEP_MUX_PAD (gst_lockstep_mux_pad_get_type())
G_DECLARE_FINAL_TYPE(GstLockstepMuxPad, gst_lockstep_mux_pad, GST, LOCKSTEP_MUX_PAD,
                     GstAggregatorPad)
struct _GstLockstepMuxPad {
  GstAggregatorPad parent;
  lockstep::MuxInputPtr* input;              // Owned; empty until the pad is the element's.
  GstPadActivateModeFunction activate_mode;  // GstAggregator's.
};

namespace lockstep::mux {

inline State& state_of(gpointer mux) { return *GST_LOCKSTEP_MUX(mux)->state; }
inline MuxInputPtr input_of(gpointer pad) { return *GST_LOCKSTEP_MUX_PAD(pad)->input; }
/// GstAggregator's own functions.
GstAggregatorClass* parent_class();

// --- gstlockstepmuxwake.cpp: waking the source pad's task ---

/// Every sink pad, to be freed with the references in it.
GList* sink_pads(GstLockstepMux* self);
/// Whether `event` is one that wakes the task.
bool is_poke(GstEvent* event);
/// Wakes the task.
void poke(GstLockstepMux* self);
/// The same if somebody has already who may have done so in vain: where a pad was flushed the poke that lay in its queue
/// is lost.
void poke_again(GstLockstepMux* self);
/// Whether the task must be poked now; sets the timer for when it must be though nothing comes. With the mutex held.
bool settle(GstLockstepMux* self, Nanoseconds now);
/// With the mutex held.
void cancel_timer(State& state);

/// Changes the collator under the lock, then wakes the task if that made a set due.
template <typename Change>
void change(GstLockstepMux* self, Change&& apply) {
  bool due = false;
  {
    Lock lock(state_of(self).mutex);
    const Nanoseconds now = monotonic_now();
    apply(state_of(self).collator, now);
    due = settle(self, now);
  }
  if (due) poke(self);
}

// --- gstlockstepmuxinflow.cpp: what upstream brings, in its threads ---

/// Tells the pipeline what grouping adds to the latency.
void report_latency(GstLockstepMux* self);
gboolean src_query(GstAggregator* aggregator, GstQuery* query);
GstFlowReturn chain(GstPad* pad, GstObject* parent, GstBuffer* buffer);
GstFlowReturn sink_event_pre_queue(GstAggregator* aggregator, GstAggregatorPad* pad,
                                   GstEvent* event);

// --- gstlockstepmuxflush.cpp: flushes and seeks, in whose thread ever they come ---

/// Takes note of the flushes that go downstream from now on.
void watch_flushes(GstLockstepMux* self);
void set_flushing(GstLockstepMux* self, MuxInput& input, bool flushing);
GstFlowReturn begin_flush(GstLockstepMux* self, GstAggregatorPad* pad, GstEvent* event);
GstFlowReturn end_flush(GstLockstepMux* self, GstAggregatorPad* pad, GstEvent* event);
/// Ends the flush downstream once no pad flushes any more, and none is about to.
void end_flush_if_over(GstLockstepMux* self);
gboolean seek(GstLockstepMux* self, GstEvent* event);

// --- gstlockstepmuxoutflow.cpp: what goes downstream, in the source pad's task ---

/// Posts what users should hear of.
void tell(GstLockstepMux* self, const std::vector<MuxNotice>& notices);
/// Offers the pads the slots that their frames will be in. With the mutex held.
void arrange_slots(State& state);
GstFlowReturn update_src_caps(GstAggregator* aggregator, GstCaps* downstream, GstCaps** caps);
gboolean sink_event(GstAggregator* aggregator, GstAggregatorPad* pad, GstEvent* event);
GstFlowReturn aggregate(GstAggregator* aggregator, gboolean timeout);

}  // namespace lockstep::mux
