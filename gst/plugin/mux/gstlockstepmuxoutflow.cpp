// SPDX-License-Identifier: MIT
// What the source pad's task does: sets that are due become batches and go downstream.
#include <algorithm>
#include <string>
#include <utility>

#include "gstlocksteperror.h"
#include "gstlockstepmessages.h"
#include "gstlockstepmuxbatch.h"
#include "gstlockstepmuxcaps.h"
#include "gstlockstepmuxstate.h"

#define GST_CAT_DEFAULT lockstep_mux_debug

namespace lockstep::mux {
namespace {

// Sets that are dropped before pads that were asked to agree on what they send are taken to be unable to.
constexpr int kPatience = 64;

}  // namespace

void tell(GstLockstepMux* self, const std::vector<MuxNotice>& notices) {
  auto* element = GST_ELEMENT(self);
  for (const MuxNotice& notice : notices) {
    switch (notice.kind) {
      case MuxNotice::Kind::dropped:
        post_dropped(element, notice.slot, notice.pad, notice.reason, notice.count);
        break;
      case MuxNotice::Kind::stalled:
        post_warning(element, {Errc::timed_out, 0,
                               notice.pad + " sends nothing in time, the others go on without it "
                                            "until it does; see max-wait"});
        post_message(element, sensor_message("lockstep-sensor-stalled", notice.slot, notice.pad));
        break;
      case MuxNotice::Kind::back:
        post_message(element, sensor_message("lockstep-sensor-back", notice.slot, notice.pad));
        break;
      case MuxNotice::Kind::warning:
        post_warning(element, {Errc::invalid_argument, 0, notice.text});
        break;
    }
  }
}

// Offers the pads the slots that their frames will be in.
void arrange_slots(State& state) {
  if (!state.supply) return;
  const std::size_t num_slots = state.collator.num_slots();
  std::vector<std::shared_ptr<SlotOutlet>> by_slot(num_slots);
  for (const auto& input : state.collator.inputs()) {
    const std::size_t slot = state.collator.slot_of(*input);
    if (slot < num_slots) by_slot[slot] = input->outlet;
  }
  state.supply->arrange(std::move(by_slot));
}

namespace {

void drop_set(State& state, const MuxSet& set, DropReason reason) {
  Lock lock(state.mutex);
  ++state.counts.dropped;
  for (const auto& slot : set.slots)
    if (slot.state == FrameState::fresh) state.collator.drop(*slot.input, reason);
}

// Has the pads that send something else than the first negotiate anew, now that they are told what that is. False where
// one of them cannot send the same.
bool ask_to_agree(GstLockstepMux* self, const MuxSet& set) {
  const FrameKind* first = nullptr;
  bool can_agree = true;
  for (const auto& slot : set.slots) {
    if (!slot.kind) continue;
    if (!first) first = slot.kind.get();
    if (is_same_shape(*first, *slot.kind)) continue;
    GstPad* pad = gst_element_get_static_pad(GST_ELEMENT(self), slot.name.c_str());
    if (!pad) continue;
    const CapsPtr same = shape_caps_of(*first);
    const CapsPtr possible(gst_pad_peer_query_caps(pad, same.get()));
    can_agree = can_agree && !gst_caps_is_empty(possible.get());
    gst_pad_push_event(pad, gst_event_new_reconfigure());
    gst_object_unref(pad);
  }
  return can_agree;
}

}  // namespace

GstFlowReturn update_src_caps(GstAggregator* aggregator, GstCaps* downstream, GstCaps** caps) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  State& state = state_of(self);
  if (!state.negotiating) return GST_AGGREGATOR_FLOW_NEED_DATA;
  Fraction rate;
  BatchLayout layout{};
  {
    Lock lock(state.mutex);
    rate = state.collator.framerate();
    layout = state.layout;
  }
  auto batch_caps = batch_caps_of(*state.negotiating, layout, rate, downstream);
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

namespace {

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
    state.analytics.begin(set, state.segment);
    Lock lock(state.mutex);
    arrange_slots(state);
    return GST_FLOW_OK;
  }
  if (GST_PAD_IS_FLUSHING(src)) return GST_FLOW_FLUSHING;
  if (state.refused && state.refused->code == Errc::no_common_format &&
      state.num_refused++ < kPatience) {
    // Frames of before are still on their way when the pads have agreed already.
    if (state.num_refused > 1 || ask_to_agree(self, set)) return GST_FLOW_CUSTOM_SUCCESS;
  }
  if (state.refused) {
    post_error(GST_ELEMENT(self), *state.refused);
  } else {
    post_error(GST_ELEMENT(self),
               {Errc::no_common_format, 0,
                "pass on batches: the next element takes none; put locksteptiler or "
                "lockstepdemux there"});
  }
  return GST_FLOW_NOT_NEGOTIATED;
}

Result<MuxBatch> make_batch(State& state, MuxSet set) {
  std::shared_ptr<SlotDispenser> dispenser;
  std::size_t anchor = 0;
  while (set.slots[anchor].state == FrameState::missing) ++anchor;
  if (state.supply) {
    dispenser = state.supply->dispenser();
    if (state.layout == BatchLayout::contiguous) {
      auto made = state.supply->dispenser_for(set.slots[anchor].kind->layout.size_bytes);
      if (!made) return made.error();
      dispenser = *std::move(made);
    }
  }
  const GstClockTime time = set.slots[set.anchor].frame.running_time;
  if (GST_CLOCK_TIME_IS_VALID(time)) state.last_batch = std::max(state.last_batch, time);
  Lock lock(state.mutex);
  const MuxMoment moment{state.last_batch, state.duration, state.counts.batches, state.segment};
  lock.unlock();
  return make_batch(std::move(set), moment, state.layout, dispenser.get());
}

// What is counted of a batch, before its frames are given away.
struct Tally {
  std::vector<MuxInputPtr> inputs;  // By slot.
  std::vector<FrameState> states;
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

void count(State& state, const Tally& tally, const MuxBatch& batch) {
  Lock lock(state.mutex);
  std::size_t num_fresh = 0;
  for (std::size_t s = 0; s < tally.states.size(); ++s) {
    const bool fresh = tally.states[s] == FrameState::fresh;
    num_fresh += fresh;
    if (!tally.inputs[s]) continue;
    RigStats::PerSensor& counts = tally.inputs[s]->counts;
    counts.frames += fresh;
    counts.repeated += tally.states[s] == FrameState::repeated;
    counts.missing += tally.states[s] == FrameState::missing;
    counts.copies += batch.copied[s];
    if (fresh)
      counts.io = batch.in_place[s] ? "in place (the frames lie in slots of a batch)"
                                    : "by reference (the frames lie in memory of upstream)";
  }
  ++state.counts.batches;
  state.counts.incomplete += num_fresh < tally.states.size();
  state.counts.by_reference += !batch.contiguous;
  if (num_fresh > 1) state.counts.skew.add(tally.skew);
  state.counts.latency.add(monotonic_now() - tally.ready_at);
}

// PTS are running times until a seek. After one they are those of the first frame's source, which says where it plays and
// how fast, but not until when, since others may go further.
GstSegment segment_of(const MuxSet& set) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  for (const auto& slot : set.slots) {
    if (slot.state != FrameState::fresh || slot.input->segment.format != GST_FORMAT_TIME) continue;
    segment = slot.input->segment;
    if (segment.rate > 0) segment.stop = GST_CLOCK_TIME_NONE;
    break;
  }
  return segment;
}

void begin_anew_if_due(GstLockstepMux* self, const MuxSet& set) {
  State& state = state_of(self);
  {
    Lock lock(state.mutex);
    if (!std::exchange(state.begins_anew, false)) return;
    gst_segment_init(&state.segment, GST_FORMAT_TIME);
    const bool is_sought = state.seek_seqnum != 0 && state.flush_seqnum == state.seek_seqnum;
    if (is_sought) state.segment = segment_of(set);
  }
  state.last_batch = 0;
  state.must_negotiate = true;
  gst_aggregator_update_segment(GST_AGGREGATOR(self), &state.segment);
}

GstFlowReturn push(GstLockstepMux* self, MuxSet set) {
  State& state = state_of(self);
  begin_anew_if_due(self, set);
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
    post_error(GST_ELEMENT(self), batch.error());
    return GST_FLOW_ERROR;
  }
  state.analytics.describe(batch->buffer.get());
  count(state, tally, *batch);
  GST_OBJECT_LOCK(self);
  GST_AGGREGATOR_PAD(GST_AGGREGATOR_SRC_PAD(self))->segment.position =
      GST_BUFFER_PTS(batch->buffer.get());
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
      const Nanoseconds now = monotonic_now();
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
    // What a flush stops goes on after it.
    if (state.flushes_downstream) continue;
    state.flow = flow;
    for (const auto& input : state.collator.inputs()) input->space.notify_all();
  }
}

// The pads that nothing is linked to, with references, where every other pad is over.
std::vector<GstPad*> unlinked_leftovers(GstLockstepMux* self) {
  std::vector<GstPad*> unlinked;
  {
    Lock lock(state_of(self).mutex);
    const auto& inputs = state_of(self).collator.inputs();
    if (std::none_of(inputs.begin(), inputs.end(),
                     [](const auto& input) { return input->is_over(); }))
      return unlinked;
  }
  bool any_goes_on = false;
  GList* pads = sink_pads(self);
  for (GList* item = pads; item; item = item->next) {
    auto* pad = GST_PAD(item->data);
    const bool is_linked = gst_pad_is_linked(pad);
    Lock lock(state_of(self).mutex);
    const MuxInputPtr input = input_of(pad);
    if (input->is_over()) continue;
    any_goes_on = any_goes_on || is_linked || input->eos;
    unlinked.push_back(GST_PAD(gst_object_ref(pad)));
  }
  g_list_free_full(pads, gst_object_unref);
  if (!any_goes_on) return unlinked;
  for (GstPad* pad : unlinked) gst_object_unref(pad);
  return {};
}

// A pad that nothing is linked to never says that it ends.
void end_if_all_linked_are_over(GstLockstepMux* self) {
  for (GstPad* pad : unlinked_leftovers(self)) {
    post_warning(GST_ELEMENT(self),
                 {Errc::invalid_argument, 0,
                  "end with the other pads, which have ended, though nothing is linked to " +
                      input_of(pad)->name + "; release pads that are not used"});
    change(self, [&](Collator& collator, Nanoseconds now) {
      collator.set_eos(*input_of(pad), true, now);
    });
    parent_class()->sink_event_pre_queue(GST_AGGREGATOR(self), GST_AGGREGATOR_PAD(pad),
                                         gst_event_new_eos());
    gst_object_unref(pad);
  }
}

}  // namespace

gboolean sink_event(GstAggregator* aggregator, GstAggregatorPad* pad, GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_EOS: {
      const gboolean done = parent_class()->sink_event(aggregator, pad, event);
      end_if_all_linked_are_over(GST_LOCKSTEP_MUX(aggregator));
      return done;
    }
    case GST_EVENT_CUSTOM_DOWNSTREAM:
      if (!is_poke(event)) break;
      gst_event_unref(event);
      leave(GST_LOCKSTEP_MUX(aggregator));
      end_if_all_linked_are_over(GST_LOCKSTEP_MUX(aggregator));
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
    notices = state.collator.take_notices(monotonic_now(), true);
    flow = state.flow;
  }
  tell(self, notices);
  if (state.num_refused > 0 && state.refused) post_error(GST_ELEMENT(self), *state.refused);
  return flow == GST_FLOW_OK ? GST_FLOW_EOS : flow;
}

}  // namespace lockstep::mux
