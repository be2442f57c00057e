// SPDX-License-Identifier: MIT
#include "gstlockstepmuxbatch.h"

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <algorithm>
#include <string>
#include <utility>

#include "gstlockstepbatchbuffer.h"
#include "gstlockstepmemory.h"

namespace lockstep {
namespace {

using PixelsPtr = std::shared_ptr<const Pixels>;

bool is_there(const MuxSet::Slot& slot) { return slot.state != FrameState::missing; }

// The frame that all others of a contiguous batch must be laid out like: the first in a slot of ours.
const MuxFrame* model_of(const MuxSet& set, const std::vector<PixelsPtr>& pixels) {
  const MuxFrame* model = nullptr;
  for (std::size_t s = 0; s < set.slots.size(); ++s) {
    if (!is_there(set.slots[s])) continue;
    if (pixels[s]) return &set.slots[s].frame;
    if (!model) model = &set.slots[s].frame;
  }
  return model;
}

bool same_planes(const Layout& a, const Layout& b) {
  return a.num_planes == b.num_planes && a.planes == b.planes;
}

// Takes those that are laid out in another way as not being in a slot.
void keep_those_like(const Layout& layout, const MuxSet& set, std::vector<PixelsPtr>& pixels) {
  for (std::size_t s = 0; s < pixels.size(); ++s)
    if (pixels[s] && !same_planes(set.slots[s].frame.layout, layout)) pixels[s].reset();
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

// Brings every frame into one arena, copying those that lie elsewhere.
Result<std::shared_ptr<Arena>> gather(MuxSet& set, MuxBatch& batch, SlotDispenser& dispenser,
                                      std::vector<PixelsPtr>& pixels,
                                      const std::vector<bool>& wanted, const Layout& layout) {
  auto gathered = dispenser.gather(pixels, wanted);
  if (!gathered) return gathered.error();
  for (std::size_t s = 0; s < set.slots.size(); ++s) {
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
  return std::move(gathered->arena);
}

// The buffer as part of a batch: in running time, with its layout, and without what an earlier batch said of it.
GstBuffer* dress(MuxFrame& frame) {
  GstBuffer* buffer = frame.buffer.get();
  GstLockstepBatchMeta* told = gst_buffer_get_lockstep_batch_meta(buffer);
  const bool has_layout = gst_buffer_get_video_meta(buffer) != nullptr;
  if (GST_BUFFER_PTS(buffer) == frame.running_time && !GST_BUFFER_DTS_IS_VALID(buffer) && !told &&
      has_layout)
    return frame.buffer.release();
  buffer = gst_buffer_make_writable(frame.buffer.release());
  GST_BUFFER_PTS(buffer) = frame.running_time;
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  if (told) gst_buffer_remove_meta(buffer, &gst_buffer_get_lockstep_batch_meta(buffer)->meta);
  if (!has_layout) add_video_meta(buffer, frame.kind->info, frame.layout, 0);
  return buffer;
}

void append_arena(GstBuffer* buffer, const std::shared_ptr<Arena>& arena,
                  const std::vector<PixelsPtr>& pixels, const FrameKind& kind,
                  const Layout& layout) {
  std::vector<PixelsPtr> kept;
  for (const PixelsPtr& frame : pixels)
    if (frame) kept.push_back(frame);
  gst_buffer_append_memory(buffer, memory_of(arena, std::move(kept)));
  for (std::size_t s = 0; s < pixels.size(); ++s) {
    GstVideoMeta* meta = add_video_meta(buffer, kind.info, layout, s * arena->slot_stride());
    meta->id = static_cast<gint>(s);
  }
}

}  // namespace

Result<MuxBatch> make_batch(MuxSet set, const MuxMoment& moment, BatchLayout layout,
                            SlotDispenser* dispenser) {
  const std::size_t num_slots = set.slots.size();
  MuxBatch batch;
  batch.in_place.assign(num_slots, false);
  batch.copied.assign(num_slots, false);
  batch.buffer.reset(gst_buffer_new());

  std::vector<PixelsPtr> pixels(num_slots);
  std::vector<PixelsPtr> together(num_slots);
  std::vector<bool> wanted(num_slots, false);
  for (std::size_t s = 0; s < num_slots; ++s) {
    if (!is_there(set.slots[s])) continue;
    wanted[s] = true;
    pixels[s] = pixels_of(set.slots[s].frame.buffer.get());
    batch.in_place[s] = pixels[s] != nullptr;
    if (set.slots[s].state == FrameState::fresh) together[s] = pixels[s];
  }
  const MuxFrame* model = model_of(set, pixels);
  const std::shared_ptr<const FrameKind> kind = model->kind;
  Layout common_layout = model->layout;
  std::shared_ptr<Arena> arena;
  const bool fits = dispenser && dispenser->num_slots() == num_slots;
  if (fits && layout != BatchLayout::reference) {
    dispenser->left_together(together);
    keep_those_like(common_layout, set, pixels);
    arena = dispenser->common_arena(pixels, wanted);
    if (!arena && layout == BatchLayout::contiguous) {
      // Frames that came in memory of their own may be spread wider than a slot.
      if (common_layout.size_bytes > dispenser->config().slot_bytes) {
        common_layout = kind->layout;
        keep_those_like(common_layout, set, pixels);
      }
      auto gathered = gather(set, batch, *dispenser, pixels, wanted, common_layout);
      if (!gathered) return gathered.error();
      arena = *std::move(gathered);
    }
  }
  batch.contiguous = arena != nullptr;
  if (arena) append_arena(batch.buffer.get(), arena, pixels, *kind, common_layout);

  GstBuffer* buffer = batch.buffer.get();
  GST_BUFFER_PTS(buffer) = moment.pts;
  GST_BUFFER_DURATION(buffer) = moment.duration;
  GST_BUFFER_OFFSET(buffer) = moment.number;
  GstLockstepBatchMeta* meta =
      gst_buffer_add_lockstep_batch_meta(buffer, static_cast<guint>(num_slots));
  meta->contiguous = batch.contiguous;
  meta->batch_number = moment.number;
  meta->skew = static_cast<GstClockTime>(set.skew.count());
  for (std::size_t s = 0; s < num_slots; ++s) {
    MuxSet::Slot& slot = set.slots[s];
    slot.frame.info.sensor = static_cast<std::uint32_t>(s);
    describe(&meta->frames[s], slot.state, slot.frame.info);
    if (is_there(slot)) meta->frames[s].buffer = dress(slot.frame);
  }
  return batch;
}

}  // namespace lockstep
