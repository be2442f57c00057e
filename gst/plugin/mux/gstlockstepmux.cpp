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
 * carry, such as the NTP time that rtpjitterbuffer adds with add-reference-timestamp-meta=true (`capture-time`), or not at all (`arrival`: whatever is newest). A
 * batch leaves as soon as its last frame has come; one that lacks a frame leaves after `max-wait`, as `on-missing` says.
 *
 * Upstream is offered the slots of coming batches to write into: what takes the offer, such as videotestsrc, avdec_h264
 * and v4l2src io-mode=dmabuf-import (with `memory=udmabuf`), fills the batch itself, and no frame is copied. Frames in
 * other memory are passed on by reference, or with `layout=contiguous` copied once.
 *
 * Frames in GPU memory (memory:CUDAMemory), as nvh264dec gives, are passed on by reference, as long as every pad sends such.
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
#include <cstdio>
#include <string>
#include <utility>

#include "gstlockstepcaps.h"
#include "gstlocksteperror.h"
#include "gstlockstepgpu.h"
#include "gstlockstepmuxcaps.h"
#include "gstlockstepmuxstate.h"
#include "gstlockstepstats.h"

GST_DEBUG_CATEGORY(lockstep_mux_debug);
#define GST_CAT_DEFAULT lockstep_mux_debug

G_DEFINE_TYPE(GstLockstepMuxPad, gst_lockstep_mux_pad, GST_TYPE_AGGREGATOR_PAD)

G_DEFINE_TYPE_WITH_CODE(GstLockstepMux, gst_lockstep_mux, GST_TYPE_AGGREGATOR,
                        GST_DEBUG_CATEGORY_INIT(lockstep_mux_debug, "lockstepmux", 0,
                                                "Any sources in, one batch out"))
GST_ELEMENT_REGISTER_DEFINE(lockstepmux, "lockstepmux", GST_RANK_NONE, GST_TYPE_LOCKSTEP_MUX)

GstAggregatorClass* lockstep::mux::parent_class() {
  return GST_AGGREGATOR_CLASS(gst_lockstep_mux_parent_class);
}

namespace lockstep::mux {
namespace {

constexpr std::size_t kMaxPads = 256;

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS(LOCKSTEP_FRAME_CAPS));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(LOCKSTEP_BATCH_CAPS "; " LOCKSTEP_MIXED_CAPS LOCKSTEP_ANALYTICS_CAPS));

// GstAggregator passes QoS on to pads that have had a buffer in its queues only, which none of ours ever has.
gboolean src_event(GstAggregator* aggregator, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK) return seek(GST_LOCKSTEP_MUX(aggregator), event);
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

CapsPtr downstream_caps(GstLockstepMux* self) {
  GstPad* src = GST_AGGREGATOR_SRC_PAD(self);
  CapsPtr templates(gst_pad_get_pad_template_caps(src));
  return CapsPtr(gst_pad_peer_query_caps(src, templates.get()));
}

// What the pad may send, within `filter` if that is not null. Where it could only send what the others do not, it is told
// that it may: the set that then cannot be batched says better why than a pad that takes nothing.
CapsPtr caps_for(GstLockstepMux* self, const MuxInput& asking, GstCaps* filter) {
  State& state = state_of(self);
  std::shared_ptr<const FrameKind> others;
  bool must_agree = false;
  {
    Lock lock(state.mutex);
    for (const auto& input : state.collator.inputs())
      if (input.get() != &asking && !input->eos && input->kind && !others) others = input->kind;
    must_agree = state.layout == BatchLayout::contiguous;
  }
  const CapsPtr downstream = downstream_caps(self);
  must_agree = must_agree || !takes_mixed(downstream.get());
  for (const bool agree : {must_agree, false}) {
    CapsPtr caps = sink_caps_for(downstream.get(), others.get(), agree);
    if (filter) caps.reset(gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST));
    if (!gst_caps_is_empty(caps.get()) || !agree) return caps;
  }
  return CapsPtr(gst_caps_new_empty());
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
      CapsPtr templates(gst_pad_get_pad_template_caps(GST_PAD(pad)));
      // Not a subset: caps need not say what the frame rate is.
      gst_query_set_accept_caps_result(query, gst_caps_can_intersect(caps, templates.get()));
      return TRUE;
    }
    case GST_QUERY_CONTEXT:
      // Frames in GPU memory go together where all who make them share a context; downstream may have one.
      return parent_class()->sink_query(aggregator, pad, query) ||
             answer_cuda_query(GST_ELEMENT(self), query, 0);
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
  std::shared_ptr<SlotOutlet> outlet;
  {
    Lock lock(state.mutex);
    const MuxInputPtr input = input_of(pad);
    const bool own_memory = frame_memory(gst_caps_get_features(caps, 0)) != FrameMemory::system ||
                            (input->kind && input->kind->memory != FrameMemory::system);
    if (!state.supply || own_memory || state.collator.inputs().size() > kMaxSensors) return TRUE;
    if (input->outlet) input->outlet->close();
    input->outlet = state.supply->new_outlet();
    arrange_slots(state);
    outlet = input->outlet;
  }
  PoolPtr pool = new_slot_pool(outlet);
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
    post_warning(GST_ELEMENT(self),
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
    notices = state.collator.take_notices(monotonic_now(), true);
    state.collator.remove(input);
    if (input->outlet) input->outlet->close();
    arrange_slots(state);
    // The others may have waited for this one only.
    settle(self, monotonic_now());
  }
  tell(self, notices);
  GST_ELEMENT_CLASS(gst_lockstep_mux_parent_class)->release_pad(element, pad);
  end_flush_if_over(self);
  poke_again(self);
}

// --- Life ---

Result<std::shared_ptr<SlotSupply>> open_supply(const MuxSettings& settings) {
  auto memory = find_memory_backend(settings.memory);
  if (!memory) return memory.error();
  if ((*memory)->space() == MemorySpace::cuda)
    return Error{Errc::not_supported, 0,
                 "offer upstream slots with memory=" + settings.memory +
                     ": lockstepmux has none in GPU memory; frames that are there it passes on by "
                     "reference, whatever memory says"};
  if (auto available = (*memory)->available(); !available) return available.error();
  if (settings.layout == BatchLayout::reference) return std::shared_ptr<SlotSupply>();
  return std::make_shared<SlotSupply>(**memory);
}

gboolean start(GstAggregator* aggregator) {
  auto* self = GST_LOCKSTEP_MUX(aggregator);
  State& state = state_of(self);
  Lock lock(state.mutex);
  auto supply = open_supply(state.settings);
  if (!supply) {
    lock.unlock();
    post_error(GST_ELEMENT(self), supply.error());
    return FALSE;
  }
  state.supply = *std::move(supply);
  state.layout = state.settings.layout;
  state.counts = Counts();
  state.poked = false;
  state.collator.begin();
  state.flow = GST_FLOW_OK;
  state.flushes_downstream = false;
  state.flush_seqnum = 0;
  state.seek_seqnum = 0;
  state.is_seeking = false;
  state.begins_anew = true;
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
      gst_segment_init(&input->segment, GST_FORMAT_UNDEFINED);
      state.collator.set_eos(*input, false, monotonic_now());
    }
    state.supply.reset();
    notices = state.collator.take_notices(monotonic_now(), true);
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
    known = set_mux_property(state.settings, id, value);
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
  state.counts.dropped += state.collator.take_dropped_sets();
  stats.dropped_batches = state.counts.dropped;
  stats.skew = state.counts.skew;
  stats.latency = state.counts.latency;
  for (const auto& input : state.collator.inputs()) stats.sensors.push_back(input->counts);
  return stats;
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  State& state = state_of(object);
  if (id == MUX_PROP_STATS) {
    g_value_take_boxed(value, structure_of(stats_of(state)).release());
    return;
  }
  Lock lock(state.mutex);
  if (!get_mux_property(state.settings, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

void finalize(GObject* object) {
  cancel_timer(state_of(object));
  delete GST_LOCKSTEP_MUX(object)->state;
  G_OBJECT_CLASS(gst_lockstep_mux_parent_class)->finalize(object);
}

// Of emit-signals, its only one.
void get_pad_property(GObject*, guint, GValue* value, GParamSpec*) {
  g_value_set_boolean(value, FALSE);
}

void finalize_pad(GObject* object) {
  delete GST_LOCKSTEP_MUX_PAD(object)->input;
  G_OBJECT_CLASS(gst_lockstep_mux_pad_parent_class)->finalize(object);
}

}  // namespace
}  // namespace lockstep::mux

namespace mux = lockstep::mux;

static void gst_lockstep_mux_pad_class_init(GstLockstepMuxPadClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = mux::finalize_pad;
  G_OBJECT_CLASS(klass)->get_property = mux::get_pad_property;
  lockstep::install_idle_emit_signals(G_OBJECT_CLASS(klass), 1);
}

static void gst_lockstep_mux_pad_init(GstLockstepMuxPad* pad) {
  pad->input = new lockstep::MuxInputPtr;
}

static void gst_lockstep_mux_class_init(GstLockstepMuxClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* aggregator_class = GST_AGGREGATOR_CLASS(klass);
  object_class->set_property = mux::set_property;
  object_class->get_property = mux::get_property;
  object_class->finalize = mux::finalize;
  lockstep::install_mux_properties(object_class);

  gst_element_class_set_static_metadata(
      element_class, "Lockstep muxer", "Video/Muxer",
      "Puts frames of any sources that belong to the same instant into one batch",
      "The Lockstep authors");
  gst_element_class_add_static_pad_template_with_gtype(element_class, &mux::sink_template,
                                                       GST_TYPE_LOCKSTEP_MUX_PAD);
  gst_element_class_add_static_pad_template_with_gtype(element_class, &mux::src_template,
                                                       GST_TYPE_AGGREGATOR_PAD);
  element_class->release_pad = mux::release_pad;

  aggregator_class->create_new_pad = mux::create_new_pad;
  aggregator_class->sink_event_pre_queue = mux::sink_event_pre_queue;
  aggregator_class->sink_event = mux::sink_event;
  aggregator_class->sink_query = mux::sink_query;
  aggregator_class->src_event = mux::src_event;
  aggregator_class->src_query = mux::src_query;
  aggregator_class->propose_allocation = mux::propose_allocation;
  aggregator_class->update_src_caps = mux::update_src_caps;
  aggregator_class->aggregate = mux::aggregate;
  aggregator_class->start = mux::start;
  aggregator_class->stop = mux::stop;
}

static void gst_lockstep_mux_init(GstLockstepMux* self) {
  self->state = new mux::State;
  mux::watch_flushes(self);
}
