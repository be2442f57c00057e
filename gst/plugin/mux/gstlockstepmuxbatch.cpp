// SPDX-License-Identifier: MIT
#include "gstlockstepmuxbatch.h"

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <algorithm>
#include <string>
#include <utility>

#include "gstlockstepbatchbuffer.h"
#include "gstlockstepcudamemory.h"
#include "gstlockstepdescription.h"
#include "gstlockstepmemory.h"

namespace lockstep {
namespace {

using PixelsPtr = std::shared_ptr<const Pixels>;

bool is_there(const MuxSet::Slot& slot) { return slot.state != FrameState::missing; }

bool same_planes(const Layout& a, const Layout& b) {
  return a.num_planes == b.num_planes && a.planes == b.planes;
}

// Whether all frames are of one rig and were exposed under one revision of its settings. Revisions of several rigs cannot be
// compared, and what a mux between made of them is trusted only where it found the same.
bool is_uniform(const MuxSet& set) {
  const MuxFrame& first = set.slots.front().frame;
  return std::all_of(set.slots.begin(), set.slots.end(), [&](const MuxSet::Slot& slot) {
    const MuxFrame& frame = slot.frame;
    return slot.state == FrameState::fresh && frame.uniform_group != GST_GROUP_ID_INVALID &&
           frame.uniform_group == first.uniform_group && exposed_alike(frame.info, first.info);
  });
}

GstBuffer* copy_into(const PixelsPtr& pixels, const Layout& layout, const MuxFrame& frame) {
  const GstVideoInfo& info = frame.kind->info;
  BufferPtr copy(gst_buffer_new());
  gst_buffer_append_memory(copy.get(), memory_of(pixels, layout.size_bytes));
  add_video_meta(copy.get(), info, layout, 0);
  MappedFrame from(info, frame.buffer.get(), GST_MAP_READ);
  MappedFrame to(info, copy.get(), GST_MAP_WRITE);
  if (!from || !to || !gst_video_frame_copy(to.frame(), &*from)) return nullptr;
  gst_buffer_copy_into(copy.get(), frame.buffer.get(),
                       static_cast<GstBufferCopyFlags>(int{GST_BUFFER_COPY_METADATA}), 0,
                       static_cast<gsize>(-1));
  return copy.release();
}

// The buffer as part of a batch: in the batch's segment, with its layout, and without what an earlier batch said of it.
GstBuffer* dress(MuxFrame& frame, const GstSegment& segment) {
  GstBuffer* buffer = frame.buffer.get();
  GstLockstepBatchMeta* incoming = gst_buffer_get_lockstep_batch_meta(buffer);
  const bool has_layout = gst_buffer_get_video_meta(buffer) != nullptr;
  const GstClockTime pts = pts_in(segment, frame.running_time);
  if (GST_BUFFER_PTS(buffer) == pts && !GST_BUFFER_DTS_IS_VALID(buffer) && !incoming && has_layout)
    return frame.buffer.release();
  buffer = gst_buffer_make_writable(frame.buffer.release());
  GST_BUFFER_PTS(buffer) = pts;
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  if (incoming) gst_buffer_remove_meta(buffer, &gst_buffer_get_lockstep_batch_meta(buffer)->meta);
  if (!has_layout) add_video_meta(buffer, frame.kind->info, frame.layout, 0);
  return buffer;
}

// A set on its way to being a batch.
struct Composition {
  explicit Composition(MuxSet mux_set);

  void tell(SlotDispenser& dispenser) const;
  bool find_arena();
  Result<void> gather_in(SlotDispenser& dispenser);
  Result<void> append_arena();
  void describe_frames(const MuxMoment& moment);

  MuxSet set;
  std::size_t num_slots;
  std::vector<PixelsPtr> pixels;  // Of frames that lie in slots, in the layout that is `layout`.
  std::vector<bool> wanted;       // Whether there is a frame.
  std::shared_ptr<const FrameKind> kind;
  Layout layout;  // Of all frames, where the batch is contiguous.
  std::shared_ptr<Arena> arena;
  MuxBatch batch;

 private:
  void keep_those_like_the_model();
};

// What all others of a contiguous batch must be like is the first frame in a slot of ours.
Composition::Composition(MuxSet mux_set)
    : set(std::move(mux_set)), num_slots(set.slots.size()), pixels(num_slots), wanted(num_slots) {
  batch.in_place.assign(num_slots, false);
  batch.copied.assign(num_slots, false);
  batch.buffer.reset(gst_buffer_new());
  const MuxFrame* model = nullptr;
  bool is_in_slot = false;
  for (std::size_t s = 0; s < num_slots; ++s) {
    if (!is_there(set.slots[s])) continue;
    const MuxFrame& frame = set.slots[s].frame;
    wanted[s] = true;
    pixels[s] = pixels_of(frame.buffer.get());
    if (!pixels[s]) pixels[s] = cuda_pixels_of(frame.buffer.get());
    batch.in_place[s] = pixels[s] != nullptr;
    if (model && (is_in_slot || !pixels[s])) continue;
    model = &frame;
    is_in_slot = batch.in_place[s];
  }
  kind = model->kind;
  layout = model->layout;
}

void Composition::keep_those_like_the_model() {
  for (std::size_t s = 0; s < num_slots; ++s) {
    const MuxFrame& frame = set.slots[s].frame;
    if (pixels[s] && (!is_same_shape(*frame.kind, *kind) || !same_planes(frame.layout, layout)))
      pixels[s].reset();
  }
}

// Tells what left together, so that pads which got out of step come back into it.
void Composition::tell(SlotDispenser& dispenser) const {
  std::vector<PixelsPtr> together = pixels;
  for (std::size_t s = 0; s < num_slots; ++s)
    if (set.slots[s].state != FrameState::fresh) together[s].reset();
  dispenser.left_together(together);
}

// Whether all frames lie in one arena as they are, be it the pads' or that of a source upstream.
bool Composition::find_arena() {
  keep_those_like_the_model();
  arena = SlotDispenser::common_arena(pixels, wanted);
  return arena != nullptr;
}

// Brings every frame into one arena, copying those that lie elsewhere.
Result<void> Composition::gather_in(SlotDispenser& dispenser) {
  // Frames that came in memory of their own may be spread wider than a slot.
  if (layout.size_bytes > dispenser.config().slot_bytes) {
    layout = kind->layout;
    keep_those_like_the_model();
  }
  auto gathered = dispenser.gather(pixels, wanted);
  if (!gathered) return gathered.error();
  for (std::size_t s = 0; s < num_slots; ++s) {
    if (!gathered->to_fill[s]) continue;
    MuxFrame& frame = set.slots[s].frame;
    GstBuffer* copy = copy_into(gathered->pixels[s], layout, frame);
    if (!copy) return Error{Errc::io, 0, "map the frame of " + set.slots[s].name + " to copy it"};
    frame.buffer.reset(copy);
    frame.layout = layout;
    ++frame.info.copies;
    batch.copied[s] = true;
  }
  pixels = std::move(gathered->pixels);
  arena = std::move(gathered->arena);
  return {};
}

Result<void> Composition::append_arena() {
  std::vector<PixelsPtr> kept;
  for (const PixelsPtr& frame : pixels)
    if (frame) kept.push_back(frame);
  GstBuffer* buffer = batch.buffer.get();
  auto all = arena_memory_of(arena, std::move(kept));
  if (!all) return std::move(all).error();
  gst_buffer_append_memory(buffer, *all);
  for (std::size_t s = 0; s < num_slots; ++s) {
    GstVideoMeta* meta = add_video_meta(buffer, kind->info, layout, s * arena->slot_stride());
    meta->id = static_cast<gint>(s);
  }
  return {};
}

void Composition::describe_frames(const MuxMoment& moment) {
  GstBuffer* buffer = batch.buffer.get();
  GST_BUFFER_PTS(buffer) = pts_in(moment.segment, moment.running_time);
  GST_BUFFER_DURATION(buffer) = moment.duration;
  GST_BUFFER_OFFSET(buffer) = moment.number;
  GstLockstepBatchMeta* meta =
      gst_buffer_add_lockstep_batch_meta(buffer, static_cast<guint>(num_slots));
  meta->contiguous = batch.contiguous;
  meta->batch_number = moment.number;
  meta->skew = static_cast<GstClockTime>(set.skew.count());
  meta->uniform = is_uniform(set);
  for (std::size_t s = 0; s < num_slots; ++s) {
    MuxSet::Slot& slot = set.slots[s];
    slot.frame.info.sensor = static_cast<std::uint32_t>(s);
    describe(&meta->frames[s], {slot.state, slot.frame.info, slot.frame.metering});
    if (is_there(slot)) meta->frames[s].buffer = dress(slot.frame, moment.segment);
  }
}

}  // namespace

GstClockTime pts_in(const GstSegment& segment, GstClockTime running_time) {
  if (!GST_CLOCK_TIME_IS_VALID(running_time)) return GST_CLOCK_TIME_NONE;
  guint64 pts = 0;
  const int sign =
      gst_segment_position_from_running_time_full(&segment, GST_FORMAT_TIME, running_time, &pts);
  return sign > 0 ? pts : GST_CLOCK_TIME_NONE;
}

Result<MuxBatch> make_batch(MuxSet set, const MuxMoment& moment, BatchLayout layout,
                            SlotDispenser* dispenser) {
  Composition composition(std::move(set));
  if (dispenser) composition.tell(*dispenser);
  const bool has_slots = dispenser && dispenser->num_slots() == composition.num_slots;
  if (layout != BatchLayout::reference && !composition.find_arena() && has_slots &&
      layout == BatchLayout::contiguous) {
    if (auto gathered = composition.gather_in(*dispenser); !gathered) return gathered.error();
  }
  composition.batch.contiguous = composition.arena != nullptr;
  if (composition.arena) {
    if (auto appended = composition.append_arena(); !appended) return appended.error();
  }
  composition.describe_frames(moment);
  return std::move(composition.batch);
}

}  // namespace lockstep
