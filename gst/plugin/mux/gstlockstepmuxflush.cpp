// SPDX-License-Identifier: MIT
// GstAggregator flushes downstream once when all pads are to flush, be it for a seek or by themselves, and goes on when all
// have ended the same flush. In between its task stands still, and so does whoever pushes to us, except that a pad's own
// flush frees its thread; FLUSHING is no answer for the others, whose threads would end for good.
//
// A pad that does not take part, because nothing is linked to it, its source cannot seek or it came later, would keep
// GstAggregator from going on for ever: it is taken for one that has flushed, and keeps its stream.
#include <algorithm>
#include <string>

#include "gstlocksteperror.h"
#include "gstlockstephandles.h"
#include "gstlockstepmuxstate.h"

#define GST_CAT_DEFAULT lockstep_mux_debug

namespace lockstep::mux {
namespace {

// What leaves by the source pad shows best when everything flushes, whoever asked for it.
GstPadProbeReturn on_flush(GstPad*, GstPadProbeInfo* info, gpointer self) {
  GstEvent* event = GST_PAD_PROBE_INFO_EVENT(info);
  change(GST_LOCKSTEP_MUX(self), [&](Collator& collator, Nanoseconds) {
    State& state = state_of(self);
    state.flushes_downstream = GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START;
    state.flow = GST_FLOW_OK;
    if (state.flushes_downstream) {
      state.flush_seqnum = gst_event_get_seqnum(event);
      collator.flush();
      return;
    }
    state.begins_anew = true;
    for (const auto& input : collator.inputs()) input->space.notify_all();
  });
  return GST_PAD_PROBE_OK;
}

}  // namespace

void watch_flushes(GstLockstepMux* self) {
  gst_pad_add_probe(GST_AGGREGATOR_SRC_PAD(self), GST_PAD_PROBE_TYPE_EVENT_FLUSH, on_flush, self,
                    nullptr);
}

void set_flushing(GstLockstepMux* self, MuxInput& input, bool flushing) {
  Lock lock(state_of(self).mutex);
  if (input.removed) return;
  input.flushing = flushing;
  input.flow = flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;
  input.space.notify_all();
}

GstFlowReturn begin_flush(GstLockstepMux* self, GstAggregatorPad* pad, GstEvent* event) {
  set_flushing(self, *input_of(pad), true);
  const GstFlowReturn flow = parent_class()->sink_event_pre_queue(GST_AGGREGATOR(self), pad, event);
  poke_again(self);
  return flow;
}

GstFlowReturn end_flush(GstLockstepMux* self, GstAggregatorPad* pad, GstEvent* event) {
  const MuxInputPtr input = input_of(pad);
  change(self, [&](Collator& collator, Nanoseconds now) {
    GstSegment none;
    gst_segment_init(&none, GST_FORMAT_UNDEFINED);
    collator.flush(*input);
    collator.set_segment(*input, none);
    // The stream goes on after a flush, even if it had ended.
    collator.set_eos(*input, false, now);
  });
  const GstFlowReturn flow = parent_class()->sink_event_pre_queue(GST_AGGREGATOR(self), pad, event);
  set_flushing(self, *input, false);
  end_flush_if_over(self);
  poke_again(self);
  return flow;
}

void end_flush_if_over(GstLockstepMux* self) {
  guint32 seqnum = 0;
  {
    Lock lock(state_of(self).mutex);
    const State& state = state_of(self);
    const auto& inputs = state.collator.inputs();
    const bool any_flushes = std::any_of(inputs.begin(), inputs.end(),
                                         [](const auto& input) { return input->flushing; });
    if (!state.flushes_downstream || state.is_seeking || any_flushes) return;
    seqnum = state.flush_seqnum;
  }
  GST_INFO_OBJECT(self, "no pad flushes any more, ending the flush downstream");
  auto* aggregator = GST_AGGREGATOR(self);
  GList* pads = sink_pads(self);
  for (GList* item = pads; item; item = item->next) {
    auto* pad = GST_AGGREGATOR_PAD(item->data);
    GstEvent* stop = gst_event_new_flush_stop(TRUE);
    gst_event_set_seqnum(stop, seqnum);
    parent_class()->sink_event_pre_queue(aggregator, pad, stop);
    // To GstAggregator the stream of a pad goes on after a flush.
    Lock lock(state_of(self).mutex);
    const bool ended = input_of(pad)->eos;
    lock.unlock();
    if (ended) parent_class()->sink_event_pre_queue(aggregator, pad, gst_event_new_eos());
  }
  g_list_free_full(pads, gst_object_unref);
}

namespace {

// Unless what is linked to the pad says that it cannot, or nothing is.
bool can_seek(GstPad* pad) {
  GstQuery* query = gst_query_new_seeking(GST_FORMAT_TIME);
  gboolean seekable = gst_pad_is_linked(pad);
  if (gst_pad_peer_query(pad, query))
    gst_query_parse_seeking(query, nullptr, &seekable, nullptr, nullptr);
  gst_query_unref(query);
  return seekable != FALSE;
}

bool can_any_seek(GstLockstepMux* self) {
  GList* pads = sink_pads(self);
  bool any = false;
  for (GList* item = pads; item && !any; item = item->next) any = can_seek(GST_PAD(item->data));
  g_list_free_full(pads, gst_object_unref);
  return any;
}

// Where GstAggregator gives a seek up it ends the flush and leaves its task as it is: stopped.
void go_on_after_seek(GstLockstepMux* self) {
  {
    Lock lock(state_of(self).mutex);
    if (state_of(self).flushes_downstream) return;
  }
  GstPad* src = GST_AGGREGATOR_SRC_PAD(self);
  if (gst_pad_is_active(src) && gst_pad_get_task_state(src) != GST_TASK_STARTED)
    GST_PAD_ACTIVATEMODEFUNC(src)(src, GST_OBJECT(self), GST_PAD_MODE_PUSH, TRUE);
}

// Why a seek is not even tried; empty where nothing stands against it.
std::string fault_of(GstLockstepMux* self, GstEvent* event) {
  GstFormat format = GST_FORMAT_UNDEFINED;
  GstSeekFlags flags = GST_SEEK_FLAG_NONE;
  gst_event_parse_seek(event, nullptr, &format, &flags, nullptr, nullptr, nullptr, nullptr);
  if (format != GST_FORMAT_TIME)
    return std::string("in ") + gst_format_get_name(format) + ", where only a time can be sought";
  if ((flags & GST_SEEK_FLAG_FLUSH) == 0)
    return "without GST_SEEK_FLAG_FLUSH each pad would go on at a running time of its own, and "
           "frames of different instants would be in one batch";
  return can_any_seek(self) ? "" : "no pad has a source that can seek";
}

bool pass_on_seek(GstLockstepMux* self, GstEvent* event) {
  State& state = state_of(self);
  {
    Lock lock(state.mutex);
    state.seek_seqnum = gst_event_get_seqnum(event);
    state.is_seeking = true;
  }
  const bool sought =
      parent_class()->src_event(GST_AGGREGATOR(self), gst_event_ref(event)) != FALSE;
  {
    Lock lock(state.mutex);
    state.is_seeking = false;
  }
  go_on_after_seek(self);
  end_flush_if_over(self);
  return sought;
}

// Sinks behind a tee each send it.
bool is_passed_on(GstLockstepMux* self, GstEvent* event) {
  Lock lock(state_of(self).mutex);
  return state_of(self).seek_seqnum == gst_event_get_seqnum(event);
}

}  // namespace

gboolean seek(GstLockstepMux* self, GstEvent* event) {
  std::string fault;
  if (!is_passed_on(self, event)) {
    fault = fault_of(self, event);
    if (fault.empty() && !pass_on_seek(self, event)) fault = "the source of a pad refuses it";
  }
  gdouble rate = 1.0;
  gst_event_parse_seek(event, &rate, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  gst_event_unref(event);
  if (fault.empty()) return TRUE;
  const CharsPtr what(g_strdup_printf("seek at rate %g: ", rate));
  post_warning(GST_ELEMENT(self), {Errc::not_supported, 0, what.get() + fault});
  return FALSE;
}

}  // namespace lockstep::mux
