// SPDX-License-Identifier: MIT
// The task of the source pad waits in GstAggregator until an event lies in a pad's queue: that is how it is woken.
#include <utility>

#include "gstlockstepmuxstate.h"

namespace lockstep::mux {
namespace {

constexpr const char* kPoke = "lockstep-poke";

// CLOCK_MONOTONIC. One for the life of the process: its thread may hold the last reference to a mux for a while, and could
// not end a clock that is its own.
GstClock* timer_clock() {
  static GstClock* const clock = [] {
    auto* made = GST_CLOCK(
        gst_object_ref_sink(g_object_new(GST_TYPE_SYSTEM_CLOCK, "name", "lockstepmux-clock",
                                         "clock-type", GST_CLOCK_TYPE_MONOTONIC, nullptr)));
    GST_OBJECT_FLAG_SET(made, GST_OBJECT_FLAG_MAY_BE_LEAKED);
    return made;
  }();
  return clock;
}

}  // namespace

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

namespace {

// The clock lets go of what a timer has with its lock held, under which no mux must end: so that is a weak reference.
gpointer weak_reference_to(GstLockstepMux* self) {
  auto* reference = g_new0(GWeakRef, 1);
  g_weak_ref_init(reference, self);
  return reference;
}

void free_weak_reference(gpointer data) {
  g_weak_ref_clear(static_cast<GWeakRef*>(data));
  g_free(data);
}

gboolean on_timer(GstClock*, GstClockTime, GstClockID id, gpointer reference);

}  // namespace

// Whether the task must be poked now; sets the timer for when it must be though nothing comes.
bool settle(GstLockstepMux* self, Nanoseconds now) {
  State& state = state_of(self);
  const auto deadline = state.collator.deadline();
  if (!deadline || state.poked) return false;
  if (*deadline <= now) return state.poked = true;
  // A timer that is due earlier looks again when it is.
  if (state.timer && state.timer_at <= *deadline) return false;
  cancel_timer(state);
  state.timer_at = *deadline;
  state.timer =
      gst_clock_new_single_shot_id(timer_clock(), static_cast<guint64>(deadline->count()));
  gst_clock_id_wait_async(state.timer, on_timer, weak_reference_to(self), free_weak_reference);
  return false;
}

namespace {

void look_again(GstLockstepMux* self, GstClockID id) {
  State& state = state_of(self);
  bool due = false;
  {
    Lock lock(state.mutex);
    if (state.timer != id) return;
    gst_clock_id_unref(state.timer);
    state.timer = nullptr;
    due = settle(self, monotonic_now());
  }
  if (due) poke(self);
}

gboolean on_timer(GstClock*, GstClockTime, GstClockID id, gpointer reference) {
  gpointer self = g_weak_ref_get(static_cast<GWeakRef*>(reference));
  if (!self) return TRUE;
  look_again(GST_LOCKSTEP_MUX(self), id);
  gst_object_unref(self);
  return TRUE;
}

}  // namespace

void cancel_timer(State& state) {
  if (!state.timer) return;
  gst_clock_id_unschedule(state.timer);
  gst_clock_id_unref(state.timer);
  state.timer = nullptr;
}

bool is_poke(GstEvent* event) { return gst_event_has_name(event, kPoke); }

}  // namespace lockstep::mux
