// SPDX-License-Identifier: MIT

/**
 * SECTION:element-lockstepmux
 * @title: lockstepmux
 * @short_description: Puts frames of any sources that were captured at the same instant into one batch
 *
 * Takes ordinary video on its request pads `sink_0`, `sink_1` ... and makes the batches that lockstepsrc makes of its
 * sensors. Slots are in the order of the pads' numbers, which need not be consecutive. A pad that is removed leaves its
 * slot empty until the next caps.
 *
 * Frames belong together by their PTS in running time (`sync-mode=running-time`), by a reference timestamp that they
 * carry, such as the NTP time that rtpjitterbuffer adds (`capture-time`), or not at all (`arrival`: whatever is newest). A
 * batch leaves as soon as its last frame has come; one that lacks a frame leaves after `max-wait`, as `on-missing` says.
 *
 * Upstream is offered the slots of coming batches to write into: what takes the offer, such as videotestsrc, avdec_h264
 * and v4l2src io-mode=dmabuf-import (with `memory=udmabuf`), fills the batch itself, and no frame is copied. Frames in
 * other memory are passed on by reference, or with `layout=contiguous` copied once.
 *
 * Frames of several formats or sizes make a batch by reference, whose caps have a field `streams` with the caps of each
 * slot.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 lockstepmux name=m ! locksteptiler ! videoconvert ! autovideosink videotestsrc num-buffers=90 ! m. videotestsrc num-buffers=90 pattern=ball ! m.
 * ]|
 */
// GstAggregator has the pads, their events in order, segments, flushes, EOS and negotiation. Its queues hold no buffer of
// ours, because they wait for every pad: a frame is handed to the collator in the thread that brings it, and only when a
// set is due that thread pokes the source pad's task, by an event in GstAggregator's queue, which that task handles
// whatever the other pads have. A timer on the system clock pokes it for sets that wait in vain.
//
// Locks: State::mutex guards the collator and all else in State that is not said to be a thread's own. It is taken after
// GstAggregator's locks, and not held while anything is pushed, posted or asked of another element.
#include "gstlockstepmux.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

#include "gstlockstepanalytics.h"
#include "gstlockstepcaps.h"
#include "gstlockstepcollator.h"
#include "gstlocksteperror.h"
#include "gstlockstepmuxbatch.h"
#include "gstlockstepmuxcaps.h"
#include "gstlockstepmuxsettings.h"
#include "gstlockstepslotsupply.h"
#include "gstlockstepstats.h"

GST_DEBUG_CATEGORY_STATIC(lockstep_mux_debug);
#define GST_CAT_DEFAULT lockstep_mux_debug

namespace {

using lockstep::Collator;
using lockstep::DropReason;
using lockstep::Errc;
using lockstep::MuxInput;
using lockstep::MuxInputPtr;
using lockstep::MuxNotice;
using lockstep::MuxSet;
using lockstep::Nanoseconds;
using lockstep::Result;
using lockstep::RigStats;

constexpr std::size_t kMaxPads = 256;
constexpr const char* kPoke = "lockstep-poke";
// Sets that are dropped before pads that were asked to agree on what they send are taken to be unable to.
constexpr int kPatience = 64;

// Properties of the run so far.
struct Counts {
  std::uint64_t batches = 0;
  std::uint64_t incomplete = 0;
  std::uint64_t by_reference = 0;
  std::uint64_t dropped = 0;
  lockstep::Histogram skew;
  lockstep::Histogram latency;
};

struct State {
  std::mutex mutex;
  lockstep::MuxSettings settings;
  Collator collator{settings};
  lockstep::MuxTiming timing;
  GstFlowReturn flow = GST_FLOW_OK;  // Of downstream, for all who push to us.
  Counts counts;
  bool poked = false;               // The task will look at the collator.
  bool flushes_downstream = false;  // GstAggregator has passed a flush on, and not ended it.
  GstClockID timer = nullptr;       // Owned; for the next deadline.
  Nanoseconds timer_at{0};
  GstClockTime told_wait = 0;                    // To the pipeline, as our latency.
  GstClockTime told_delay = 0;                   // The same, at most.
  std::shared_ptr<lockstep::SlotSupply> supply;  // Null: no slots are offered.

  // The source pad's task only.
  const MuxSet* negotiating = nullptr;  // The set whose caps are being settled.
  bool must_negotiate = true;
  std::optional<lockstep::Error> refused;  // Why its caps were not taken.
  int num_refused = 0;                     // Sets in a row that were.
  lockstep::AnalyticsBatches analytics;
  GstClockTime last_pts = 0;
  GstClockTime duration = GST_CLOCK_TIME_NONE;

  std::atomic<bool> timing_stale{true};  // Whether upstream is live must be asked anew.

  GstClock* const clock = GST_CLOCK(g_object_new(GST_TYPE_SYSTEM_CLOCK, "name", "lockstepmux-clock",
                                                 "clock-type", GST_CLOCK_TYPE_MONOTONIC, nullptr));

  State() { gst_object_ref_sink(clock); }
  ~State() { gst_object_unref(clock); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};
using Lock = std::unique_lock<std::mutex>;

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS(LOCKSTEP_FRAME_CAPS));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(LOCKSTEP_BATCH_CAPS "; " LOCKSTEP_MIXED_CAPS LOCKSTEP_ANALYTICS_CAPS));

}  // namespace

struct _GstLockstepMux {
  GstAggregator parent;
  State* state;
};

// A sink pad; `input` is what the mux knows of it.
#define GST_TYPE_LOCKSTEP_MUX_PAD (gst_lockstep_mux_pad_get_type())
G_DECLARE_FINAL_TYPE(GstLockstepMuxPad, gst_lockstep_mux_pad, GST, LOCKSTEP_MUX_PAD,
                     GstAggregatorPad)
struct _GstLockstepMuxPad {
  GstAggregatorPad parent;
  MuxInputPtr* input;                        // Owned; empty until the pad is the element's.
  GstPadActivateModeFunction activate_mode;  // GstAggregator's.
};
G_DEFINE_TYPE(GstLockstepMuxPad, gst_lockstep_mux_pad, GST_TYPE_AGGREGATOR_PAD)

G_DEFINE_TYPE_WITH_CODE(GstLockstepMux, gst_lockstep_mux, GST_TYPE_AGGREGATOR,
                        GST_DEBUG_CATEGORY_INIT(lockstep_mux_debug, "lockstepmux", 0,
                                                "Any sources in, one batch out"))
GST_ELEMENT_REGISTER_DEFINE(lockstepmux, "lockstepmux", GST_RANK_NONE, GST_TYPE_LOCKSTEP_MUX)

namespace {

State& state_of(gpointer mux) { return *GST_LOCKSTEP_MUX(mux)->state; }

GstAggregatorClass* parent_class() { return GST_AGGREGATOR_CLASS(gst_lockstep_mux_parent_class); }

MuxInputPtr input_of(gpointer pad) { return *GST_LOCKSTEP_MUX_PAD(pad)->input; }

// --- Waking the task ---

// Every sink pad, to be freed with the references in it.
GList* sink_pads(GstLockstepMux* self) {
  GST_OBJECT_LOCK(self);
  GList* pads = g_list_copy_deep(
      GST_ELEMENT(self)->sinkpads,
      [](gconstpointer pad, gpointer) { return gst_object_ref(const_cast<gpointer>(pad)); },
      nullptr);
  GST_OBJECT_UNLOCK(self);
  return pads;
}

// Puts an event into the queue of a pad that takes it, so that the source pad's task comes by.
void poke(GstLockstepMux* self) {
  auto* aggregator = GST_AGGREGATOR(self);
  GList* pads = sink_pads(self);
  bool poked = false;
  for (GList* item = pads; item && !poked; item = item->next) {
    // A new event each time: the task takes an event out of a queue by its address.
    poked = parent_class()->sink_event_pre_queue(
                aggregator, GST_AGGREGATOR_PAD(item->data),
                gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                                     gst_structure_new_empty(kPoke))) == GST_FLOW_OK;
  }
  g_list_free_full(pads, gst_object_unref);
  if (poked) return;
  Lock lock(state_of(self).mutex);
  state_of(self).poked = false;
}

// Where a pad was flushed the poke that lay in its queue is lost.
void poke_again(GstLockstepMux* self) {
  bool poked = false;
  {
    Lock lock(state_of(self).mutex);
    poked = state_of(self).poked;
  }
  if (poked) poke(self);
}

gboolean on_timer(GstClock*, GstClockTime, GstClockID id, gpointer self);

// Whether the task must be poked now; sets the timer for when it must be though nothing comes.
bool settle(GstLockstepMux* self, Nanoseconds now) {
  State& state = state_of(self);
  const auto deadline = state.collator.deadline();
  if (!deadline || state.poked) return false;
  if (*deadline <= now) return state.poked = true;
  // A timer that is due earlier looks again when it is.
  if (state.timer && state.timer_at <= *deadline) return false;
  if (state.timer) {
    gst_clock_id_unschedule(state.timer);
    gst_clock_id_unref(state.timer);
  }
  state.timer_at = *deadline;
  state.timer = gst_clock_new_single_shot_id(state.clock, static_cast<guint64>(deadline->count()));
  gst_clock_id_wait_async(state.timer, on_timer, gst_object_ref(self), gst_object_unref);
  return false;
}

gboolean on_timer(GstClock*, GstClockTime, GstClockID id, gpointer data) {
  auto* self = GST_LOCKSTEP_MUX(data);
  State& state = state_of(self);
  bool due = false;
  {
    Lock lock(state.mutex);
    if (state.timer != id) return TRUE;
    gst_clock_id_unref(state.timer);
    state.timer = nullptr;
    due = settle(self, lockstep::monotonic_now());
  }
  if (due) poke(self);
  return TRUE;
}

void cancel_timer(State& state) {
  if (!state.timer) return;
  gst_clock_id_unschedule(state.timer);
  gst_clock_id_unref(state.timer);
  state.timer = nullptr;
}

// Changes the collator under the lock, then wakes the task if that made a set due.
template <typename Change>
void change(GstLockstepMux* self, Change&& apply) {
  bool due = false;
  {
    Lock lock(state_of(self).mutex);
    const Nanoseconds now = lockstep::monotonic_now();
    apply(state_of(self).collator, now);
    due = settle(self, now);
  }
  if (due) poke(self);
}

// --- Latency ---

// Tells the pipeline what grouping adds.
void report_latency(GstLockstepMux* self) {
  State& state = state_of(self);
  GstClockTime min = 0;
  GstClockTime max = 0;
  {
    Lock lock(state.mutex);
    if (!state.timing.live) return;
    const Nanoseconds wait = state.collator.max_wait() - state.timing.extra_wait;
    min = static_cast<GstClockTime>(std::max(wait, Nanoseconds(0)).count());
    max = std::max(min, static_cast<GstClockTime>(state.collator.most_delay().count()));
    if (min == state.told_wait && max == state.told_delay) return;
    state.told_wait = min;
    state.told_delay = max;
  }
  gst_aggregator_set_latency(GST_AGGREGATOR(self), min, max);
}

// `total` is what the element answers to a latency query; NONE where nothing is live.
void take_timing(GstLockstepMux* self, GstClockTime total) {
  guint64 extra = 0;
  g_object_get(self, "latency", &extra, nullptr);
  change(self, [&](Collator& collator, Nanoseconds) {
    lockstep::MuxTiming& timing = state_of(self).timing;
    timing.live = GST_CLOCK_TIME_IS_VALID(total);
    const GstClockTime ours = state_of(self).told_wait + extra;
    timing.extra_wait = Nanoseconds(static_cast<std::int64_t>(extra));
    timing.upstream_latency =
        Nanoseconds(timing.live && total > ours ? static_cast<std::int64_t>(total - ours) : 0);
    collator.set_timing(timing);
  });
  report_latency(self);
}

gboolean src_query(GstAggregator* aggregator, GstQuery* query) {
  if (!parent_class()->src_query(aggregator, query)) return FALSE;
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return TRUE;
  gboolean live = FALSE;
  GstClockTime min = 0;
  gst_query_parse_latency(query, &live, &min, nullptr);
  take_timing(GST_LOCKSTEP_MUX(aggregator), live ? min : GST_CLOCK_TIME_NONE);
  return TRUE;
}

// Asks all pads anew: gst_aggregator_get_latency() remembers what it was told when there were others, or none.
void ask_timing(GstLockstepMux* self) {
  GstQuery* query = gst_query_new_latency();
  gst_pad_query(GST_AGGREGATOR_SRC_PAD(self), query);
  gst_query_unref(query);
}

// CLOCK_MONOTONIC minus running time, if there is a clock to tell it.
std::optional<Nanoseconds> running_offset(GstLockstepMux* self) {
  GstClock* clock = gst_element_get_clock(GST_ELEMENT(self));
  if (!clock) return std::nullopt;
  const Nanoseconds before = lockstep::monotonic_now();
  const auto time = static_cast<std::int64_t>(gst_clock_get_time(clock));
  const Nanoseconds after = lockstep::monotonic_now();
  gst_object_unref(clock);
  const auto base = static_cast<std::int64_t>(gst_element_get_base_time(GST_ELEMENT(self)));
  // A clock that is CLOCK_MONOTONIC is told exactly.
  const bool same = time >= before.count() && time <= after.count();
  return same ? Nanoseconds(base) : (before + after) / 2 - Nanoseconds(time - base);
}

// --- What users hear of ---

void post(GstLockstepMux* self, GstStructure* structure) {
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), structure));
}

void tell(GstLockstepMux* self, const std::vector<MuxNotice>& notices) {
  for (const MuxNotice& notice : notices) {
    const char* pad = notice.pad.c_str();
    switch (notice.kind) {
      case MuxNotice::Kind::dropped:
        post(self, gst_structure_new("lockstep-frames-dropped", "sensor", G_TYPE_UINT, notice.slot,
                                     "name", G_TYPE_STRING, pad, "reason", G_TYPE_STRING,
                                     to_string(notice.reason), "count", G_TYPE_UINT64,
                                     guint64{notice.count}, nullptr));
        break;
      case MuxNotice::Kind::stalled:
        lockstep::post_warning(
            GST_ELEMENT(self),
            {Errc::timed_out, 0,
             notice.pad + " sends nothing, the others go on without it until it does"});
        post(self, gst_structure_new("lockstep-sensor-stalled", "sensor", G_TYPE_UINT, notice.slot,
                                     "name", G_TYPE_STRING, pad, nullptr));
        break;
      case MuxNotice::Kind::back:
        post(self, gst_structure_new("lockstep-sensor-back", "sensor", G_TYPE_UINT, notice.slot,
                                     "name", G_TYPE_STRING, pad, nullptr));
        break;
      case MuxNotice::Kind::warning:
        lockstep::post_warning(GST_ELEMENT(self), {Errc::invalid_argument, 0, notice.text});
        break;
    }
  }
}

// --- Flushes ---

// GstAggregator passes a flush on when all pads have begun one, and ends it when all have ended the same. Pads that came
// or went meanwhile would keep it from that for ever.
void end_flush_if_over(GstLockstepMux* self) {
  {
    Lock lock(state_of(self).mutex);
    const auto& inputs = state_of(self).collator.inputs();
    if (!state_of(self).flushes_downstream ||
        std::any_of(inputs.begin(), inputs.end(),
                    [](const auto& input) { return input->flushing; }))
      return;
  }
  GST_INFO_OBJECT(self, "no pad flushes any more, ending the flush downstream");
  GstEvent* stop = gst_event_new_flush_stop(TRUE);
  GList* pads = sink_pads(self);
  for (GList* item = pads; item; item = item->next)
    parent_class()->sink_event_pre_queue(GST_AGGREGATOR(self), GST_AGGREGATOR_PAD(item->data),
                                         gst_event_ref(stop));
  g_list_free_full(pads, gst_object_unref);
  gst_event_unref(stop);
}

void set_flushing(GstLockstepMux* self, MuxInput& input, bool flushing) {
  Lock lock(state_of(self).mutex);
  input.flushing = flushing;
  input.flow = flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;
  input.space.notify_all();
}

GstFlowReturn begin_flush(GstLockstepMux* self, GstAggregatorPad* pad, GstEvent* event) {
  GstPad* src = GST_AGGREGATOR_SRC_PAD(self);
  set_flushing(self, *input_of(pad), true);
  const bool before = GST_PAD_IS_FLUSHING(src);
  const GstFlowReturn flow = parent_class()->sink_event_pre_queue(GST_AGGREGATOR(self), pad, event);
  if (!before && GST_PAD_IS_FLUSHING(src)) {
    Lock lock(state_of(self).mutex);
    state_of(self).flushes_downstream = true;
  }
  poke_again(self);
  return flow;
}

GstFlowReturn end_flush(GstLockstepMux* self, GstAggregatorPad* pad, GstEvent* event) {
  const GstFlowReturn flow = parent_class()->sink_event_pre_queue(GST_AGGREGATOR(self), pad, event);
  set_flushing(self, *input_of(pad), false);
  end_flush_if_over(self);
  poke_again(self);
  return flow;
}

// --- Frames in ---

// Waits until the pad may have one more frame; what stands in the way of taking it otherwise.
GstFlowReturn wait_for_space(State& state, MuxInput& input, Lock& lock) {
  const auto stopped = [&] {
    const GstFlowReturn flow = input.flow;
    return flow != GST_FLOW_OK ? flow : state.flow;
  };
  input.space.wait(lock, [&] {
    return stopped() != GST_FLOW_OK || !input.is_full() ||
           state.settings.late_policy == lockstep::LatePolicy::leaky;
  });
  return stopped();
}

GstFlowReturn chain(GstPad* pad, GstObject* parent, GstBuffer* raw) {
  lockstep::BufferPtr buffer(raw);
  auto* self = GST_LOCKSTEP_MUX(parent);
  State& state = state_of(self);
  const MuxInputPtr input = input_of(pad);
  if (state.timing_stale.exchange(false)) ask_timing(self);
  const auto offset = running_offset(self);
  bool due = false;
  std::vector<MuxNotice> notices;
  {
    Lock lock(state.mutex);
    const GstFlowReturn flow = wait_for_space(state, *input, lock);
    if (flow != GST_FLOW_OK) return flow;
    const Nanoseconds now = lockstep::monotonic_now();
    state.collator.set_running_offset(offset);
    if (input->is_full()) {
      state.collator.drop(*input, DropReason::overflow);
    } else {
      state.collator.take_in(*input, std::move(buffer), now);
    }
    // Where every frame is refused no set leaves that would tell of it.
    notices = state.collator.take_notices(*input, now);
    due = settle(self, now);
  }
  tell(self, notices);
  if (due) poke(self);
  return GST_FLOW_OK;
}

// Reads the caps of a pad; false, with an error posted, where they cannot be batched.
bool take_caps(GstLockstepMux* self, MuxInput& input, GstEvent* event) {
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  auto kind = lockstep::read_kind(caps);
  if (!kind) {
    lockstep::Error error = kind.error();
    error.what = "take what " + input.name + " sends: " + error.what;
    lockstep::post_error(GST_ELEMENT(self), error);
    return false;
  }
  change(self, [&](Collator& collator, Nanoseconds) {
    collator.set_kind(input, *kind);
    // What could not be batched before may be now.
    if (state_of(self).flow == GST_FLOW_NOT_NEGOTIATED) state_of(self).flow = GST_FLOW_OK;
  });
  report_latency(self);
  return true;
}

// In the thread that brings it, in order with the pad's frames.
GstFlowReturn sink_event_pre_queue(GstAggregator* aggregator, GstAggregatorPad* pad,
                                   GstEvent* event) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  const MuxInputPtr input = input_of(pad);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      end_flush_if_over(self);
      state_of(self).timing_stale = true;
      change(self, [&](Collator& collator, Nanoseconds now) {
        State& state = state_of(self);
        if (state.flow == GST_FLOW_EOS) state.flow = GST_FLOW_OK;
        collator.set_eos(*input, false, now);
      });
      break;
    case GST_EVENT_CAPS:
      if (take_caps(self, *input, event)) break;
      gst_event_unref(event);
      return GST_FLOW_NOT_NEGOTIATED;
    case GST_EVENT_SEGMENT: {
      Lock lock(state_of(self).mutex);
      gst_event_copy_segment(event, &input->segment);
      break;
    }
    case GST_EVENT_GAP: {
      GstClockTime start = GST_CLOCK_TIME_NONE;
      GstClockTime duration = GST_CLOCK_TIME_NONE;
      gst_event_parse_gap(event, &start, &duration);
      gst_event_unref(event);
      change(self, [&](Collator& collator, Nanoseconds now) {
        collator.take_gap(*input, start, duration, now);
      });
      return GST_FLOW_OK;
    }
    case GST_EVENT_EOS:
      change(self,
             [&](Collator& collator, Nanoseconds now) { collator.set_eos(*input, true, now); });
      break;
    case GST_EVENT_FLUSH_START:
      return begin_flush(self, pad, event);
    case GST_EVENT_FLUSH_STOP:
      return end_flush(self, pad, event);
    default:
      break;
  }
  return parent_class()->sink_event_pre_queue(aggregator, pad, event);
}

GstFlowReturn flush_pad(GstAggregatorPad* pad, GstAggregator* aggregator) {
  State& state = state_of(aggregator);
  Lock lock(state.mutex);
  const MuxInputPtr input = input_of(pad);
  if (!input) return GST_FLOW_OK;
  state.collator.flush(*input);
  gst_segment_init(&input->segment, GST_FORMAT_UNDEFINED);
  input->space.notify_all();
  return GST_FLOW_OK;
}

// --- Batches out; the source pad's task ---

// Offers the pads the slots that their frames will be in.
void arrange_slots(State& state) {
  if (!state.supply) return;
  const std::size_t num_slots = state.collator.num_slots();
  std::vector<std::shared_ptr<lockstep::SlotOutlet>> by_slot(num_slots);
  for (const auto& input : state.collator.inputs()) {
    const std::size_t slot = state.collator.slot_of(*input);
    if (slot < num_slots) by_slot[slot] = input->outlet;
  }
  state.supply->arrange(std::move(by_slot));
}

void drop_set(State& state, const MuxSet& set, DropReason reason) {
  Lock lock(state.mutex);
  ++state.counts.dropped;
  for (const auto& slot : set.slots)
    if (slot.state == lockstep::FrameState::fresh) state.collator.drop(*slot.input, reason);
}

// Has the pads that send something else than the first negotiate anew, now that they are told what that is. False where
// one of them cannot send the same.
bool ask_to_agree(GstLockstepMux* self, const MuxSet& set) {
  const lockstep::FrameKind* first = nullptr;
  bool can_agree = true;
  for (const auto& slot : set.slots) {
    if (!slot.kind) continue;
    if (!first) first = slot.kind.get();
    if (is_same_shape(*first, *slot.kind)) continue;
    GstPad* pad = gst_element_get_static_pad(GST_ELEMENT(self), slot.name.c_str());
    if (!pad) continue;
    const lockstep::CapsPtr same = lockstep::shape_caps_of(*first);
    const lockstep::CapsPtr possible(gst_pad_peer_query_caps(pad, same.get()));
    can_agree = can_agree && !gst_caps_is_empty(possible.get());
    gst_pad_push_event(pad, gst_event_new_reconfigure());
    gst_object_unref(pad);
  }
  return can_agree;
}

GstFlowReturn update_src_caps(GstAggregator* aggregator, GstCaps* downstream, GstCaps** caps) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  State& state = state_of(self);
  if (!state.negotiating) return GST_AGGREGATOR_FLOW_NEED_DATA;
  lockstep::Fraction rate;
  lockstep::BatchLayout layout{};
  {
    Lock lock(state.mutex);
    rate = state.collator.framerate();
    layout = state.settings.layout;
  }
  auto batch_caps = lockstep::batch_caps_of(*state.negotiating, layout, rate, downstream);
  if (!batch_caps) {
    state.refused = batch_caps.error();
    return GST_FLOW_NOT_NEGOTIATED;
  }
  state.duration = rate.numerator == 0
                       ? GST_CLOCK_TIME_NONE
                       : gst_util_uint64_scale_int(GST_SECOND, static_cast<gint>(rate.denominator),
                                                   static_cast<gint>(rate.numerator));
  *caps = batch_caps->release();
  return GST_FLOW_OK;
}

// Settles the caps of the set if they are new. OK, or why it cannot be pushed; CUSTOM_SUCCESS where only this one cannot.
GstFlowReturn negotiate(GstLockstepMux* self, const MuxSet& set) {
  State& state = state_of(self);
  GstPad* src = GST_AGGREGATOR_SRC_PAD(self);
  const bool reconfigure = gst_pad_check_reconfigure(src);
  if (!set.new_caps && !reconfigure && !state.must_negotiate) return GST_FLOW_OK;
  state.negotiating = &set;
  state.refused.reset();
  const bool negotiated = gst_aggregator_negotiate(GST_AGGREGATOR(self));
  state.negotiating = nullptr;
  state.must_negotiate = !negotiated;
  if (negotiated) {
    state.num_refused = 0;
    state.analytics.begin(set);
    Lock lock(state.mutex);
    arrange_slots(state);
    return GST_FLOW_OK;
  }
  if (GST_PAD_IS_FLUSHING(src)) return GST_FLOW_FLUSHING;
  if (state.refused && state.num_refused++ < kPatience) {
    // Frames of before are still on their way when the pads have agreed already.
    if (state.num_refused > 1 || ask_to_agree(self, set)) return GST_FLOW_CUSTOM_SUCCESS;
  }
  if (state.refused) {
    lockstep::post_error(GST_ELEMENT(self), *state.refused);
  } else {
    lockstep::post_error(GST_ELEMENT(self),
                         {Errc::no_common_format, 0,
                          "pass on batches: the next element takes none; put locksteptiler or "
                          "lockstepdemux there"});
  }
  return GST_FLOW_NOT_NEGOTIATED;
}

Result<lockstep::MuxBatch> make_batch(State& state, MuxSet set) {
  std::shared_ptr<lockstep::SlotDispenser> dispenser;
  std::size_t anchor = 0;
  while (set.slots[anchor].state == lockstep::FrameState::missing) ++anchor;
  if (state.supply) {
    dispenser = state.supply->dispenser();
    if (state.settings.layout == lockstep::BatchLayout::contiguous) {
      auto made = state.supply->dispenser_for(set.slots[anchor].kind->layout.size_bytes);
      if (!made) return made.error();
      dispenser = *std::move(made);
    }
  }
  const GstClockTime pts = set.slots[set.anchor].frame.running_time;
  if (GST_CLOCK_TIME_IS_VALID(pts)) state.last_pts = std::max(state.last_pts, pts);
  Lock lock(state.mutex);
  const lockstep::MuxMoment moment{state.last_pts, state.duration, state.counts.batches};
  lock.unlock();
  return lockstep::make_batch(std::move(set), moment, state.settings.layout, dispenser.get());
}

// What is counted of a batch, before its frames are given away.
struct Tally {
  std::vector<MuxInputPtr> inputs;  // By slot.
  std::vector<lockstep::FrameState> states;
  Nanoseconds skew{0};
  Nanoseconds ready_at{0};
};

Tally tally_of(const MuxSet& set) {
  Tally tally{{}, {}, set.skew, set.ready_at};
  for (const auto& slot : set.slots) {
    tally.inputs.push_back(slot.input);
    tally.states.push_back(slot.state);
  }
  return tally;
}

void count(State& state, const Tally& tally, const lockstep::MuxBatch& batch) {
  Lock lock(state.mutex);
  std::size_t num_fresh = 0;
  for (std::size_t s = 0; s < tally.states.size(); ++s) {
    const bool fresh = tally.states[s] == lockstep::FrameState::fresh;
    num_fresh += fresh;
    if (!tally.inputs[s]) continue;
    RigStats::PerSensor& counts = tally.inputs[s]->counts;
    counts.frames += fresh;
    counts.repeated += tally.states[s] == lockstep::FrameState::repeated;
    counts.missing += tally.states[s] == lockstep::FrameState::missing;
    counts.copies += batch.copied[s];
    if (fresh)
      counts.io = batch.in_place[s] ? "in place (upstream writes into the slots)"
                                    : "by reference (upstream brings its own memory)";
  }
  ++state.counts.batches;
  state.counts.incomplete += num_fresh < tally.states.size();
  state.counts.by_reference += !batch.contiguous;
  if (num_fresh > 1) state.counts.skew.add(tally.skew);
  state.counts.latency.add(lockstep::monotonic_now() - tally.ready_at);
}

GstFlowReturn push(GstLockstepMux* self, MuxSet set) {
  State& state = state_of(self);
  const GstFlowReturn settled = negotiate(self, set);
  if (settled != GST_FLOW_OK) {
    drop_set(state, set, DropReason::unmatched);
    Lock lock(state.mutex);
    state.collator.forget_caps();
    return settled == GST_FLOW_CUSTOM_SUCCESS ? GST_FLOW_OK : settled;
  }
  const Tally tally = tally_of(set);
  auto batch = make_batch(state, std::move(set));
  if (!batch) {
    lockstep::post_error(GST_ELEMENT(self), batch.error());
    return GST_FLOW_ERROR;
  }
  state.analytics.describe(batch->buffer.get());
  count(state, tally, *batch);
  GST_OBJECT_LOCK(self);
  GST_AGGREGATOR_PAD(GST_AGGREGATOR_SRC_PAD(self))->segment.position = state.last_pts;
  GST_OBJECT_UNLOCK(self);
  return gst_aggregator_finish_buffer(GST_AGGREGATOR(self), batch->buffer.release());
}

// Lets everything leave that is due.
void leave(GstLockstepMux* self) {
  State& state = state_of(self);
  for (;;) {
    std::optional<MuxSet> set;
    std::vector<MuxNotice> notices;
    GstFlowReturn flow = GST_FLOW_OK;
    {
      Lock lock(state.mutex);
      const Nanoseconds now = lockstep::monotonic_now();
      set = state.collator.next(now);
      notices = state.collator.take_notices(now, false);
      flow = state.flow;
      if (!set) {
        state.poked = false;
        settle(self, now);
      }
    }
    tell(self, notices);
    if (!set) return;
    if (flow != GST_FLOW_OK) {
      drop_set(state, *set, DropReason::flushed);
      continue;
    }
    flow = push(self, *std::move(set));
    if (flow == GST_FLOW_OK) continue;
    Lock lock(state.mutex);
    state.flow = flow;
    for (const auto& input : state.collator.inputs()) input->space.notify_all();
  }
}

gboolean sink_event(GstAggregator* aggregator, GstAggregatorPad* pad, GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CUSTOM_DOWNSTREAM:
      if (!gst_event_has_name(event, kPoke)) break;
      gst_event_unref(event);
      leave(GST_LOCKSTEP_MUX(aggregator));
      return TRUE;
    case GST_EVENT_CAPS:  // Was looked at when it came.
      gst_event_unref(event);
      return TRUE;
    default:
      break;
  }
  return parent_class()->sink_event(aggregator, pad, event);
}

// Called once every pad is EOS, since no buffer is ever in GstAggregator's queues.
GstFlowReturn aggregate(GstAggregator* aggregator, gboolean) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  State& state = state_of(self);
  leave(self);
  std::vector<MuxNotice> notices;
  GstFlowReturn flow = GST_FLOW_OK;
  {
    Lock lock(state.mutex);
    state.collator.flush();
    notices = state.collator.take_notices(lockstep::monotonic_now(), true);
    flow = state.flow;
  }
  tell(self, notices);
  if (state.num_refused > 0 && state.refused)
    lockstep::post_error(GST_ELEMENT(self), *state.refused);
  return flow == GST_FLOW_OK ? GST_FLOW_EOS : flow;
}

GstFlowReturn flush(GstAggregator* aggregator) {
  State& state = state_of(aggregator);
  Lock lock(state.mutex);
  state.collator.flush();
  state.flow = GST_FLOW_OK;
  state.flushes_downstream = false;
  state.last_pts = 0;
  return GST_FLOW_OK;
}

// GstAggregator passes QoS on to pads that have had a buffer in its queues only, which none of ours ever has.
gboolean src_event(GstAggregator* aggregator, GstEvent* event) {
  if (GST_EVENT_TYPE(event) != GST_EVENT_QOS) return parent_class()->src_event(aggregator, event);
  gst_element_foreach_sink_pad(
      GST_ELEMENT(aggregator),
      [](GstElement*, GstPad* pad, gpointer qos) -> gboolean {
        gst_pad_push_event(pad, gst_event_ref(static_cast<GstEvent*>(qos)));
        return TRUE;
      },
      event);
  gst_event_unref(event);
  return TRUE;
}

// --- Queries ---

lockstep::CapsPtr downstream_caps(GstLockstepMux* self) {
  GstPad* src = GST_AGGREGATOR_SRC_PAD(self);
  lockstep::CapsPtr templates(gst_pad_get_pad_template_caps(src));
  return lockstep::CapsPtr(gst_pad_peer_query_caps(src, templates.get()));
}

// What the pad may send, within `filter` if that is not null. Where it could only send what the others do not, it is told
// that it may: the set that then cannot be batched says better why than a pad that takes nothing.
lockstep::CapsPtr caps_for(GstLockstepMux* self, const MuxInput& asking, GstCaps* filter) {
  State& state = state_of(self);
  std::shared_ptr<const lockstep::FrameKind> others;
  bool must_agree = false;
  {
    Lock lock(state.mutex);
    for (const auto& input : state.collator.inputs())
      if (input.get() != &asking && !input->eos && input->kind && !others) others = input->kind;
    must_agree = state.settings.layout == lockstep::BatchLayout::contiguous;
  }
  const lockstep::CapsPtr downstream = downstream_caps(self);
  must_agree = must_agree || !lockstep::takes_mixed(downstream.get());
  for (const bool agree : {must_agree, false}) {
    lockstep::CapsPtr caps = lockstep::sink_caps_for(downstream.get(), others.get(), agree);
    if (filter) caps.reset(gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST));
    if (!gst_caps_is_empty(caps.get()) || !agree) return caps;
  }
  return lockstep::CapsPtr(gst_caps_new_empty());
}

gboolean sink_query(GstAggregator* aggregator, GstAggregatorPad* pad, GstQuery* query) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS: {
      GstCaps* filter = nullptr;
      gst_query_parse_caps(query, &filter);
      gst_query_set_caps_result(query, caps_for(self, *input_of(pad), filter).get());
      return TRUE;
    }
    case GST_QUERY_ACCEPT_CAPS: {
      GstCaps* caps = nullptr;
      gst_query_parse_accept_caps(query, &caps);
      lockstep::CapsPtr templates(gst_pad_get_pad_template_caps(GST_PAD(pad)));
      gst_query_set_accept_caps_result(query, gst_caps_is_subset(caps, templates.get()));
      return TRUE;
    }
    default:
      return parent_class()->sink_query(aggregator, pad, query);
  }
}

// Offers the pad its slots. What upstream brings in other memory is taken as well.
gboolean propose_allocation(GstAggregator* aggregator, GstAggregatorPad* pad, GstQuery*,
                            GstQuery* query) {
  State& state = state_of(aggregator);
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  GstCaps* caps = nullptr;
  gboolean need_pool = FALSE;
  gst_query_parse_allocation(query, &caps, &need_pool);
  GstVideoInfo info;
  if (!need_pool || !caps || !gst_video_info_from_caps(&info, caps)) return TRUE;
  std::shared_ptr<lockstep::SlotOutlet> outlet;
  {
    Lock lock(state.mutex);
    const MuxInputPtr input = input_of(pad);
    const bool own_memory = input->kind && input->kind->dmabuf;
    if (!state.supply || own_memory || state.collator.inputs().size() > lockstep::kMaxSensors)
      return TRUE;
    if (input->outlet) input->outlet->close();
    input->outlet = state.supply->new_outlet();
    arrange_slots(state);
    outlet = input->outlet;
  }
  lockstep::PoolPtr pool = lockstep::new_slot_pool(outlet);
  const auto size = static_cast<guint>(GST_VIDEO_INFO_SIZE(&info));
  GstStructure* config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
  gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  if (!gst_buffer_pool_set_config(pool.get(), config)) return TRUE;
  gst_query_add_allocation_pool(query, pool.get(), size, 0, 0);
  return TRUE;
}

// --- Pads ---

gboolean activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active) {
  const GstFlowReturn flow = active ? GST_FLOW_OK : GST_FLOW_FLUSHING;
  if (parent) {
    set_flushing(GST_LOCKSTEP_MUX(parent), *input_of(pad), !active);
  } else {
    // GstAggregator activates a pad before it is the element's: nobody waits on it yet.
    input_of(pad)->flow = flow;
  }
  const gboolean done = GST_LOCKSTEP_MUX_PAD(pad)->activate_mode(pad, parent, mode, active);
  if (parent && !active) poke_again(GST_LOCKSTEP_MUX(parent));
  return done;
}

GstAggregatorPad* create_new_pad(GstAggregator* aggregator, GstPadTemplate* pad_template,
                                 const gchar* name, const GstCaps* caps) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  State& state = state_of(self);
  GstAggregatorPad* pad = parent_class()->create_new_pad(aggregator, pad_template, name, caps);
  if (!pad) return nullptr;
  const std::string pad_name = GST_PAD_NAME(pad);
  guint index = 0;
  std::sscanf(pad_name.c_str(), "sink_%u", &index);
  std::string refused;
  {
    Lock lock(state.mutex);
    const auto& inputs = state.collator.inputs();
    const bool taken = std::any_of(inputs.begin(), inputs.end(),
                                   [index](const auto& input) { return input->index == index; });
    if (taken) refused = "there is one of that name";
    if (inputs.size() >= kMaxPads) refused = "there are " + std::to_string(kMaxPads) + " already";
    if (refused.empty()) {
      *GST_LOCKSTEP_MUX_PAD(pad)->input = state.collator.add(index, pad_name);
      arrange_slots(state);
    }
  }
  if (!refused.empty()) {
    gst_object_unref(gst_object_ref_sink(pad));
    lockstep::post_warning(GST_ELEMENT(self),
                           {Errc::invalid_argument, 0, "make pad " + pad_name + ": " + refused});
    return nullptr;
  }
  GST_LOCKSTEP_MUX_PAD(pad)->activate_mode = GST_PAD_ACTIVATEMODEFUNC(pad);
  gst_pad_set_activatemode_function(GST_PAD(pad), activate_mode);
  gst_pad_set_chain_function(GST_PAD(pad), chain);
  return pad;
}

void release_pad(GstElement* element, GstPad* pad) {
  auto* self = GST_LOCKSTEP_MUX(element);
  State& state = state_of(self);
  const MuxInputPtr input = input_of(pad);
  std::vector<MuxNotice> notices;
  {
    Lock lock(state.mutex);
    input->flow = GST_FLOW_FLUSHING;
    input->space.notify_all();
    state.collator.flush(*input);
    notices = state.collator.take_notices(lockstep::monotonic_now(), true);
    state.collator.remove(input);
    if (input->outlet) input->outlet->close();
    arrange_slots(state);
    // The others may have waited for this one only.
    settle(self, lockstep::monotonic_now());
  }
  tell(self, notices);
  GST_ELEMENT_CLASS(gst_lockstep_mux_parent_class)->release_pad(element, pad);
  end_flush_if_over(self);
  poke_again(self);
}

// --- Life ---

Result<std::shared_ptr<lockstep::SlotSupply>> open_supply(const lockstep::MuxSettings& settings) {
  auto memory = lockstep::find_memory_backend(settings.memory);
  if (!memory) return memory.error();
  if (auto available = (*memory)->available(); !available) return available.error();
  if (settings.layout == lockstep::BatchLayout::reference)
    return std::shared_ptr<lockstep::SlotSupply>();
  return std::make_shared<lockstep::SlotSupply>(**memory);
}

gboolean start(GstAggregator* aggregator) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  State& state = state_of(self);
  Lock lock(state.mutex);
  auto supply = open_supply(state.settings);
  if (!supply) {
    lock.unlock();
    lockstep::post_error(GST_ELEMENT(self), supply.error());
    return FALSE;
  }
  state.supply = *std::move(supply);
  state.counts = Counts();
  state.poked = false;
  state.collator.begin();
  state.flow = GST_FLOW_OK;
  state.last_pts = 0;
  state.must_negotiate = true;
  state.refused.reset();
  state.num_refused = 0;
  state.timing_stale = true;
  return TRUE;
}

gboolean stop(GstAggregator* aggregator) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  State& state = state_of(self);
  std::vector<MuxNotice> notices;
  {
    Lock lock(state.mutex);
    cancel_timer(state);
    state.poked = false;
    state.collator.flush();
    state.collator.forget_caps();
    for (const auto& input : state.collator.inputs()) {
      if (input->outlet) input->outlet->close();
      input->outlet.reset();
      // Upstream begins anew, with its caps and segment.
      input->kind.reset();
    }
    state.supply.reset();
    notices = state.collator.take_notices(lockstep::monotonic_now(), true);
  }
  tell(self, notices);
  return TRUE;
}

// --- Properties ---

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  auto* self = GST_LOCKSTEP_MUX(object);
  bool known = false;
  change(self, [&](Collator& collator, Nanoseconds) {
    State& state = state_of(self);
    known = lockstep::set_mux_property(state.settings, id, value);
    if (!known) return;
    collator.set_settings(state.settings);
    for (const auto& input : collator.inputs()) input->space.notify_all();
  });
  if (!known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  report_latency(self);
}

RigStats stats_of(State& state) {
  Lock lock(state.mutex);
  RigStats stats;
  stats.batches = state.counts.batches;
  stats.incomplete = state.counts.incomplete;
  stats.by_reference = state.counts.by_reference;
  stats.dropped_batches = state.counts.dropped;
  stats.skew = state.counts.skew;
  stats.latency = state.counts.latency;
  for (const auto& input : state.collator.inputs()) stats.sensors.push_back(input->counts);
  return stats;
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  State& state = state_of(object);
  if (id == lockstep::MUX_PROP_STATS) {
    g_value_take_boxed(value, lockstep::structure_of(stats_of(state)).release());
    return;
  }
  Lock lock(state.mutex);
  if (!lockstep::get_mux_property(state.settings, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

void finalize(GObject* object) {
  delete GST_LOCKSTEP_MUX(object)->state;
  G_OBJECT_CLASS(gst_lockstep_mux_parent_class)->finalize(object);
}

void finalize_pad(GObject* object) {
  delete GST_LOCKSTEP_MUX_PAD(object)->input;
  G_OBJECT_CLASS(gst_lockstep_mux_pad_parent_class)->finalize(object);
}

}  // namespace

static void gst_lockstep_mux_pad_class_init(GstLockstepMuxPadClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = finalize_pad;
  GST_AGGREGATOR_PAD_CLASS(klass)->flush = flush_pad;
}

static void gst_lockstep_mux_pad_init(GstLockstepMuxPad* pad) { pad->input = new MuxInputPtr; }

static void gst_lockstep_mux_class_init(GstLockstepMuxClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* aggregator_class = GST_AGGREGATOR_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  lockstep::install_mux_properties(object_class);

  gst_element_class_set_static_metadata(
      element_class, "Lockstep muxer", "Video/Muxer",
      "Puts frames of any sources that belong to the same instant into one batch",
      "The Lockstep authors");
  gst_element_class_add_static_pad_template_with_gtype(element_class, &sink_template,
                                                       GST_TYPE_LOCKSTEP_MUX_PAD);
  gst_element_class_add_static_pad_template_with_gtype(element_class, &src_template,
                                                       GST_TYPE_AGGREGATOR_PAD);
  element_class->release_pad = release_pad;

  aggregator_class->create_new_pad = create_new_pad;
  aggregator_class->sink_event_pre_queue = sink_event_pre_queue;
  aggregator_class->sink_event = sink_event;
  aggregator_class->sink_query = sink_query;
  aggregator_class->src_event = src_event;
  aggregator_class->src_query = src_query;
  aggregator_class->propose_allocation = propose_allocation;
  aggregator_class->update_src_caps = update_src_caps;
  aggregator_class->aggregate = aggregate;
  aggregator_class->flush = flush;
  aggregator_class->start = start;
  aggregator_class->stop = stop;
}

static void gst_lockstep_mux_init(GstLockstepMux* self) { self->state = new State; }
