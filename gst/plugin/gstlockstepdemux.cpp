// SPDX-License-Identifier: MIT

/**
 * SECTION:element-lockstepdemux
 * @title: lockstepdemux
 * @short_description: Takes a batch apart
 *
 * Pad `src_N` gives the frames of slot N as plain video, each the very memory that the batch holds.
 * Pads are requested, so that only the slots of interest are, and so that what is linked to them
 * has its say in the format of the sensors.
 *
 * Each buffer has the time at which its own sensor captured it. A slot that is missing becomes a
 * GAP event of the batch's time and duration, and so a repeated frame has the time of its batch.
 * Each buffer also has a #GstLockstepBatchMeta of one slot, without a frame, that tells all about
 * it: state, sequence, capture time, exposure, gains, settings revision, metering, copies, and
 * whether the whole batch was uniform.
 *
 * Frames of a batch may be of several formats and sizes: each pad has the caps of its own.
 *
 * Frames are passed on where they lie, whatever their strides. An element that does not offer
 * #GstVideoMeta in its answer to the ALLOCATION query, and so may read them as if they had
 * GStreamer's default strides, is given a copy that has, where theirs are others: one more of
 * `copies`.
 *
 * Pads may be requested and released at any time; what a pad answers stops the others only if it is
 * an error, and a pad that is gone has no say.
 *
 * Batches of dma-bufs become video/x-raw(memory:DMABuf) where the next element takes that, and
 * video/x-raw elsewhere. Batches in GPU memory become video/x-raw(memory:CUDAMemory), and nothing
 * else: put cudadownload behind a pad whose frames the CPU is to read.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 lockstepsrc num-sensors=2 num-buffers=60 ! lockstepdemux name=d d.src_0 ! queue ! videoconvert ! autovideosink d.src_1 ! queue ! videoconvert ! autovideosink
 * ]|
 */
// Locks: the object lock guards the list of outputs and the flow of each, and is not held while
// anything is pushed. All else belongs to the streaming thread of the sink pad.
#include "gstlockstepdemux.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gstlockstepcaps.h"
#include "gstlockstepdescription.h"
#include "gstlocksteperror.h"
#include "gstlockstepgpu.h"
#include "gstlockstephandles.h"
#include "gstlocksteplayout.h"

GST_DEBUG_CATEGORY_STATIC(lockstep_demux_debug);
#define GST_CAT_DEFAULT lockstep_demux_debug

namespace {

using lockstep::FrameMemory;

// One source pad.
struct Output {
  guint slot = 0;
  GstPad* pad = nullptr;    // Owned.
  bool started = false;     // Whether it has had its stream-start and what came after.
  bool negotiated = false;  // Whether it has had the caps of now.
  bool discont = true;      // Whether its next buffer follows on nothing.
  lockstep::CapsPtr caps;   // That it has had; null before the first.
  // Whether what is linked to it knows GstVideoMeta; nothing: not asked yet.
  std::optional<bool> takes_any_layout;
  GstFlowReturn flow = GST_FLOW_OK;  // Object lock; what it last answered.

  Output(guint s, GstPad* p) : slot(s), pad(static_cast<GstPad*>(gst_object_ref(p))) {}
  ~Output() { gst_object_unref(pad); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
};
using Outputs = std::vector<std::shared_ptr<Output>>;

struct State {
  Outputs outputs;               // Object lock; in slot order.
  lockstep::CapsPtr batch_caps;  // Streaming thread; null before caps.
  guint batch_size = 0;          // Streaming thread; 0 before caps.
};

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(LOCKSTEP_BATCH_CAPS "; " LOCKSTEP_MIXED_CAPS));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src_%u", GST_PAD_SRC, GST_PAD_REQUEST,
                                                            GST_STATIC_CAPS(LOCKSTEP_FRAME_CAPS));

}  // namespace

struct _GstLockstepDemux {
  GstElement parent;
  GstPad* sink;  // Owned by the element.
  State* state;
};

G_DEFINE_TYPE_WITH_CODE(GstLockstepDemux, gst_lockstep_demux, GST_TYPE_ELEMENT,
                        GST_DEBUG_CATEGORY_INIT(lockstep_demux_debug, "lockstepdemux", 0,
                                                "Takes a batch apart"))
GST_ELEMENT_REGISTER_DEFINE(lockstepdemux, "lockstepdemux", GST_RANK_NONE, GST_TYPE_LOCKSTEP_DEMUX)

namespace {

Outputs outputs_of(GstLockstepDemux* self) {
  GST_OBJECT_LOCK(self);
  Outputs outputs = self->state->outputs;
  GST_OBJECT_UNLOCK(self);
  return outputs;
}

void set_flow(GstLockstepDemux* self, Output& output, GstFlowReturn flow) {
  GST_OBJECT_LOCK(self);
  output.flow = flow;
  GST_OBJECT_UNLOCK(self);
}

// What upstream is answered. Only pads that are there now count, not one that was released while it was pushed to; and a
// branch that is not linked, has ended or is shut down stops the others no more than a missing one would.
GstFlowReturn combined_flow(GstLockstepDemux* self) {
  GstFlowReturn idle = GST_FLOW_NOT_LINKED;  // The answer where nothing goes on.
  bool any_goes_on = false;
  GST_OBJECT_LOCK(self);
  for (const auto& output : self->state->outputs) {
    switch (output->flow) {
      case GST_FLOW_NOT_LINKED:
        break;
      case GST_FLOW_EOS:
        if (idle == GST_FLOW_NOT_LINKED) idle = GST_FLOW_EOS;
        break;
      case GST_FLOW_FLUSHING:
        idle = GST_FLOW_FLUSHING;
        break;
      default:
        if (output->flow < GST_FLOW_EOS) {
          const GstFlowReturn failed = output->flow;
          GST_OBJECT_UNLOCK(self);
          return failed;
        }
        any_goes_on = true;
    }
  }
  GST_OBJECT_UNLOCK(self);
  return any_goes_on ? GST_FLOW_OK : idle;
}

// Begins the stream of a pad that is new, with all that the sink pad has had so far.
void start(GstLockstepDemux* self, Output& output) {
  lockstep::CharsPtr id(
      gst_pad_create_stream_id_printf(output.pad, GST_ELEMENT(self), "%03u", output.slot));
  GstEvent* stream_start = gst_event_new_stream_start(id.get());
  if (GstEvent* from = gst_pad_get_sticky_event(self->sink, GST_EVENT_STREAM_START, 0)) {
    guint group = GST_GROUP_ID_INVALID;
    if (gst_event_parse_group_id(from, &group) && group != GST_GROUP_ID_INVALID)
      gst_event_set_group_id(stream_start, group);
    gst_event_unref(from);
  }
  gst_pad_push_event(output.pad, stream_start);
}

// Repeats to `pad` what its sink pad knows besides the beginning and the caps of the stream.
gboolean repeat_sticky(GstPad*, GstEvent** event, gpointer pad) {
  switch (GST_EVENT_TYPE(*event)) {
    case GST_EVENT_STREAM_START:
    case GST_EVENT_CAPS:
    case GST_EVENT_EOS:
      return TRUE;
    default:
      gst_pad_push_event(GST_PAD(pad), gst_event_ref(*event));
      return TRUE;
  }
}

// Tells a pad the caps of its frames, if they are known: as dma-bufs if they are and the next element takes them.
void negotiate(GstLockstepDemux* self, Output& output) {
  lockstep::CapsPtr caps = lockstep::frame_caps_of_slot(self->state->batch_caps.get(), output.slot);
  if (gst_caps_is_empty(caps.get())) return;
  const FrameMemory memory = lockstep::frame_memory(gst_caps_get_features(caps.get(), 0));
  if (memory == FrameMemory::dmabuf && !gst_pad_peer_query_accept_caps(output.pad, caps.get())) {
    lockstep::CapsPtr plain(gst_caps_copy(caps.get()));
    gst_caps_set_features_simple(plain.get(), nullptr);
    caps = std::move(plain);
  }
  gst_pad_push_event(output.pad, gst_event_new_caps(caps.get()));
  output.caps = std::move(caps);
  output.takes_any_layout.reset();
}

// Brings every pad to where the sink pad is.
void catch_up(GstLockstepDemux* self, const Outputs& outputs) {
  for (const auto& output : outputs) {
    const bool is_new = !std::exchange(output->started, true);
    if (is_new) start(self, *output);
    if (gst_pad_check_reconfigure(output->pad)) output->negotiated = false;
    if (self->state->batch_caps && !std::exchange(output->negotiated, true))
      negotiate(self, *output);
    if (is_new) gst_pad_sticky_events_foreach(self->sink, repeat_sticky, output->pad);
  }
}

// False, with an error posted, where a pad is for a slot that there is not.
bool has_slots_for(GstLockstepDemux* self, const Outputs& outputs) {
  if (outputs.empty() || outputs.back()->slot < self->state->batch_size) return true;
  const std::string last = std::to_string(self->state->batch_size - 1);
  lockstep::post_error(GST_ELEMENT(self), {lockstep::Errc::invalid_argument, 0,
                                           "give out slot " + std::to_string(outputs.back()->slot) +
                                               " of a batch with slots 0 to " + last +
                                               "; link no pad beyond src_" + last});
  return false;
}

bool take_caps(GstLockstepDemux* self, GstCaps* caps, const Outputs& outputs) {
  const guint batch_size = lockstep::batch_size_of(caps);
  if (batch_size == 0) return false;
  self->state->batch_caps.reset(gst_caps_ref(caps));
  self->state->batch_size = batch_size;
  if (!has_slots_for(self, outputs)) return false;
  for (const auto& output : outputs) output->negotiated = false;
  catch_up(self, outputs);
  return true;
}

bool is_serialized(GstEvent* event) {
  return (int{GST_EVENT_TYPE(event)} & int{GST_EVENT_TYPE_SERIALIZED}) != 0;
}

gboolean sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  auto* self = GST_LOCKSTEP_DEMUX(parent);
  const Outputs outputs = outputs_of(self);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
      for (const auto& output : outputs) output->started = false;
      gst_event_unref(event);
      return TRUE;
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      const bool taken = take_caps(self, caps, outputs);
      gst_event_unref(event);
      return taken;
    }
    case GST_EVENT_FLUSH_STOP:
      for (const auto& output : outputs) {
        set_flow(self, *output, GST_FLOW_OK);
        output->discont = true;
      }
      break;
    default:
      if (is_serialized(event)) catch_up(self, outputs);
  }
  return gst_pad_event_default(pad, parent, event);
}

// What the next elements take, as caps of batches: system memory can be had from dma-bufs too.
// Frames of several kinds are taken only where every one of them takes any: which gets what is not known before.
lockstep::CapsPtr batch_caps_for(GstLockstepDemux* self) {
  lockstep::CapsPtr caps(gst_caps_from_string(LOCKSTEP_BATCH_CAPS));
  const lockstep::CapsPtr any(gst_caps_from_string("video/x-raw, " LOCKSTEP_VIDEO_FIELDS));
  bool take_any = true;
  for (const auto& output : outputs_of(self)) {
    lockstep::CapsPtr frames(gst_pad_peer_query_caps(output->pad, nullptr));
    lockstep::CapsPtr batches = lockstep::batch_caps_for_frames(frames.get());
    caps.reset(gst_caps_intersect_full(caps.get(), batches.get(), GST_CAPS_INTERSECT_FIRST));
    take_any = take_any && gst_caps_is_subset(any.get(), frames.get());
  }
  if (take_any) gst_caps_append(caps.get(), gst_caps_from_string(LOCKSTEP_MIXED_CAPS));
  return caps;
}

// What the elements on the other side do not know we do.
gboolean answer_context(GstPad* pad, GstObject* parent, GstQuery* query) {
  return gst_pad_query_default(pad, parent, query) ||
         lockstep::answer_cuda_query(GST_ELEMENT(parent), query, 0);
}

gboolean src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT) return answer_context(pad, parent, query);
  return gst_pad_query_default(pad, parent, query);
}

gboolean sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  auto* self = GST_LOCKSTEP_DEMUX(parent);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS: {
      GstCaps* filter = nullptr;
      gst_query_parse_caps(query, &filter);
      lockstep::CapsPtr caps = batch_caps_for(self);
      if (filter) caps.reset(gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST));
      gst_query_set_caps_result(query, caps.get());
      return TRUE;
    }
    case GST_QUERY_CONTEXT:
      return answer_context(pad, parent, query);
    case GST_QUERY_ALLOCATION:
      gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
      return TRUE;
    default:
      return gst_pad_query_default(pad, parent, query);
  }
}

// What one pad is given of a batch.
struct Share {
  std::shared_ptr<Output> output;
  lockstep::BufferPtr buffer;  // Null where the slot is missing.
};

// Whether a frame must be copied for an element that would misread it where it lies. The element is asked only when such a
// frame comes: its answer may have to wait for a queue to drain. Other memory than the CPU's is read by those alone who
// know how it is laid out.
bool needs_copy(Output& output, GstBuffer* frame) {
  if (!output.caps ||
      lockstep::frame_memory(gst_caps_get_features(output.caps.get(), 0)) != FrameMemory::system)
    return false;
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, output.caps.get()) ||
      lockstep::has_default_layout(frame, info))
    return false;
  if (!output.takes_any_layout)
    output.takes_any_layout = lockstep::peer_takes_any_layout(output.pad, output.caps.get());
  return !*output.takes_any_layout;
}

lockstep::Result<lockstep::BufferPtr> copy_of(const Output& output, GstBuffer* frame) {
  GstVideoInfo info;
  gst_video_info_from_caps(&info, output.caps.get());
  return lockstep::copy_to_default_layout(frame, info);
}

// `batch` describes the batch that the share is of, and has its times.
GstFlowReturn push(GstLockstepDemux* self, Share share, GstBuffer* batch) {
  Output& output = *share.output;
  if (!share.buffer) {
    output.discont = true;
    gst_pad_push_event(output.pad,
                       gst_event_new_gap(GST_BUFFER_PTS(batch), GST_BUFFER_DURATION(batch)));
    return GST_PAD_LAST_FLOW_RETURN(output.pad);
  }
  const bool copies = needs_copy(output, share.buffer.get());
  if (copies) {
    auto copy = copy_of(output, share.buffer.get());
    if (!copy) {
      lockstep::post_error(GST_ELEMENT(self), copy.error());
      return GST_FLOW_ERROR;
    }
    share.buffer = *std::move(copy);
  }
  // Copies no pixels, and not even the buffer's head if the batch was not shared.
  GstBuffer* buffer = gst_buffer_make_writable(share.buffer.release());
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
  GstLockstepFrame& frame = lockstep::copy_description(*meta, output.slot, 1, buffer)->frames[0];
  frame.copies += copies ? 1 : 0;
  if (frame.state == GST_LOCKSTEP_FRAME_REPEATED) GST_BUFFER_PTS(buffer) = GST_BUFFER_PTS(batch);
  if (std::exchange(output.discont, false)) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
  return gst_pad_push(output.pad, buffer);
}

GstFlowReturn chain(GstPad*, GstObject* parent, GstBuffer* buffer) {
  auto* self = GST_LOCKSTEP_DEMUX(parent);
  lockstep::BufferPtr batch(buffer);
  GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(buffer);
  if (!meta) {
    lockstep::post_error(GST_ELEMENT(self),
                         {lockstep::Errc::invalid_argument, 0,
                          "take a buffer apart that carries no GstLockstepBatchMeta"});
    return GST_FLOW_ERROR;
  }
  const Outputs outputs = outputs_of(self);
  if (outputs.empty()) return GST_FLOW_NOT_LINKED;
  if (!has_slots_for(self, outputs)) return GST_FLOW_ERROR;
  catch_up(self, outputs);

  std::vector<Share> shares;
  for (const auto& output : outputs) {
    if (GST_BUFFER_IS_DISCONT(buffer)) output->discont = true;
    Share& share = shares.emplace_back();
    share.output = output;
    const GstLockstepFrame* frame = gst_lockstep_batch_meta_get_frame(meta, output->slot);
    if (!frame || frame->state == GST_LOCKSTEP_FRAME_MISSING || !frame->buffer) continue;
    share.buffer.reset(gst_buffer_ref(frame->buffer));
  }
  // From here on each frame goes back to its sensor when its own branch has done with it.
  const lockstep::BufferPtr described(gst_buffer_new());
  lockstep::copy_description(*meta, 0, meta->n_frames, described.get());
  GST_BUFFER_PTS(described.get()) = GST_BUFFER_PTS(buffer);
  GST_BUFFER_DURATION(described.get()) = GST_BUFFER_DURATION(buffer);
  batch.reset();

  for (Share& share : shares) {
    const std::shared_ptr<Output> output = share.output;
    set_flow(self, *output, push(self, std::move(share), described.get()));
  }
  return combined_flow(self);
}

// The slot that a pad of that name is for, the lowest free one without a name.
guint slot_for(const Outputs& outputs, const gchar* name) {
  guint slot = 0;
  if (name && std::sscanf(name, "src_%u", &slot) == 1) return slot;
  while (std::any_of(outputs.begin(), outputs.end(),
                     [&](const auto& output) { return output->slot == slot; }))
    slot++;
  return slot;
}

GstPad* request_new_pad(GstElement* element, GstPadTemplate* pad_template, const gchar* name,
                        const GstCaps*) {
  auto* self = GST_LOCKSTEP_DEMUX(element);
  const guint slot = slot_for(outputs_of(self), name);
  const std::string pad_name = "src_" + std::to_string(slot);
  GstPad* pad = gst_pad_new_from_template(pad_template, pad_name.c_str());
  gst_pad_set_query_function(pad, src_query);
  gst_pad_set_active(pad, TRUE);
  if (!gst_element_add_pad(element, pad)) return nullptr;  // One of that name is there already.
  auto output = std::make_shared<Output>(slot, pad);
  GST_OBJECT_LOCK(self);
  Outputs& outputs = self->state->outputs;
  outputs.insert(std::find_if(outputs.begin(), outputs.end(),
                              [&](const auto& other) { return other->slot > slot; }),
                 std::move(output));
  GST_OBJECT_UNLOCK(self);
  return pad;
}

void release_pad(GstElement* element, GstPad* pad) {
  auto* self = GST_LOCKSTEP_DEMUX(element);
  GST_OBJECT_LOCK(self);
  Outputs& outputs = self->state->outputs;
  const auto found = std::find_if(outputs.begin(), outputs.end(),
                                  [&](const auto& output) { return output->pad == pad; });
  std::shared_ptr<Output> released;
  if (found != outputs.end()) {
    released = *found;
    outputs.erase(found);
  }
  GST_OBJECT_UNLOCK(self);
  gst_pad_set_active(pad, FALSE);
  gst_element_remove_pad(element, pad);
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  auto* self = GST_LOCKSTEP_DEMUX(element);
  const GstStateChangeReturn changed =
      GST_ELEMENT_CLASS(gst_lockstep_demux_parent_class)->change_state(element, transition);
  if (transition != GST_STATE_CHANGE_PAUSED_TO_READY) return changed;
  for (const auto& output : outputs_of(self)) {
    output->started = false;
    output->negotiated = false;
    output->discont = true;
    set_flow(self, *output, GST_FLOW_OK);
  }
  self->state->batch_caps.reset();
  self->state->batch_size = 0;
  return changed;
}

void finalize(GObject* object) {
  delete GST_LOCKSTEP_DEMUX(object)->state;
  G_OBJECT_CLASS(gst_lockstep_demux_parent_class)->finalize(object);
}

}  // namespace

static void gst_lockstep_demux_class_init(GstLockstepDemuxClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = finalize;
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  element_class->change_state = change_state;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "Lockstep demultiplexer", "Codec/Demuxer/Video",
      "Takes a batch apart into one stream per slot", "The Lockstep authors");
}

static void gst_lockstep_demux_init(GstLockstepDemux* self) {
  self->state = new State;
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  gst_pad_set_query_function(self->sink, sink_query);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
}
