// SPDX-License-Identifier: MIT
// What upstream's threads bring: frames, events, and how late they are.
#include <algorithm>
#include <optional>
#include <utility>

#include "gstlockstepclock.h"
#include "gstlocksteperror.h"
#include "gstlockstepgpu.h"
#include "gstlockstepmuxstate.h"

#define GST_CAT_DEFAULT lockstep_mux_debug

namespace lockstep::mux {

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

namespace {

// `total` is what the element answers to a latency query; NONE where nothing is live.
void take_timing(GstLockstepMux* self, GstClockTime total) {
  guint64 extra = 0;
  g_object_get(self, "latency", &extra, nullptr);
  change(self, [&](Collator& collator, Nanoseconds) {
    MuxTiming& timing = state_of(self).timing;
    timing.live = GST_CLOCK_TIME_IS_VALID(total);
    const GstClockTime ours = state_of(self).told_wait + extra;
    timing.extra_wait = Nanoseconds(static_cast<std::int64_t>(extra));
    timing.upstream_latency =
        Nanoseconds(timing.live && total > ours ? static_cast<std::int64_t>(total - ours) : 0);
    collator.set_timing(timing);
  });
  report_latency(self);
}

GstClockTime told_wait(GstLockstepMux* self) {
  Lock lock(state_of(self).mutex);
  return state_of(self).told_wait;
}

}  // namespace

// What is asked first may tell that upstream is live, and so how long frames wait: then the answer is another.
gboolean src_query(GstAggregator* aggregator, GstQuery* query) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT)
    return parent_class()->src_query(aggregator, query) ||
           answer_cuda_query(GST_ELEMENT(self), query, 0);
  for (int times = 0; times < 2; ++times) {
    const GstClockTime before = told_wait(self);
    if (!parent_class()->src_query(aggregator, query)) return FALSE;
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return TRUE;
    gboolean live = FALSE;
    GstClockTime min = 0;
    gst_query_parse_latency(query, &live, &min, nullptr);
    take_timing(self, live ? min : GST_CLOCK_TIME_NONE);
    if (told_wait(self) == before) break;
  }
  return TRUE;
}

namespace {

// Asks all pads anew: gst_aggregator_get_latency() remembers what it was told when there were others, or none.
void ask_timing(GstLockstepMux* self) {
  GstQuery* query = gst_query_new_latency();
  gst_pad_query(GST_AGGREGATOR_SRC_PAD(self), query);
  gst_query_unref(query);
}

// Nobody goes on before it is known whether times are live.
void settle_timing(GstLockstepMux* self) {
  State& state = state_of(self);
  if (!state.timing_stale && !state.asks_timing) return;
  std::lock_guard asking(state.timing_mutex);
  state.asks_timing = true;
  if (state.timing_stale.exchange(false)) ask_timing(self);
  state.asks_timing = false;
}

}  // namespace

namespace {

// Waits until the pad may have one more frame; what stands in the way of taking it otherwise.
GstFlowReturn wait_for_space(State& state, MuxInput& input, Lock& lock) {
  const auto stopped = [&] {
    const GstFlowReturn flow = input.flow;
    return flow != GST_FLOW_OK ? flow : state.flow;
  };
  input.space.wait(lock, [&] {
    if (stopped() != GST_FLOW_OK) return true;
    // What came before the others' flush does not belong with what comes after it.
    if (state.flushes_downstream) return false;
    return !input.is_full() || state.settings.late_policy == LatePolicy::leaky;
  });
  return stopped();
}

}  // namespace

GstFlowReturn chain(GstPad* pad, GstObject* parent, GstBuffer* raw) {
  BufferPtr buffer(raw);
  auto* self = GST_LOCKSTEP_MUX(parent);
  State& state = state_of(self);
  const MuxInputPtr input = input_of(pad);
  settle_timing(self);
  const auto offset = monotonic_minus_running(GST_ELEMENT(self));
  bool due = false;
  std::vector<MuxNotice> notices;
  {
    Lock lock(state.mutex);
    const GstFlowReturn flow = wait_for_space(state, *input, lock);
    if (flow != GST_FLOW_OK) return flow;
    const Nanoseconds now = monotonic_now();
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

namespace {

// Reads the caps of a pad; false, with an error posted, where they cannot be batched.
bool take_caps(GstLockstepMux* self, MuxInput& input, GstEvent* event) {
  GstCaps* caps = nullptr;
  gst_event_parse_caps(event, &caps);
  auto kind = read_kind(caps);
  if (!kind) {
    Error error = kind.error();
    error.what = "take what " + input.name + " sends: " + error.what;
    post_error(GST_ELEMENT(self), error);
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

}  // namespace

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
        if (!gst_event_parse_group_id(event, &input->group)) input->group = GST_GROUP_ID_INVALID;
        collator.set_eos(*input, false, now);
      });
      break;
    case GST_EVENT_CAPS:
      if (take_caps(self, *input, event)) break;
      gst_event_unref(event);
      return GST_FLOW_NOT_NEGOTIATED;
    case GST_EVENT_SEGMENT: {
      const GstSegment* segment = nullptr;
      gst_event_parse_segment(event, &segment);
      change(self,
             [&](Collator& collator, Nanoseconds) { collator.set_segment(*input, *segment); });
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

}  // namespace lockstep::mux
