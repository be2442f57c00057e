// SPDX-License-Identifier: MIT
#include "gstlockstepranges.h"

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include <string>
#include <utility>

namespace lockstep {
namespace {

constexpr const char* kPlanes = "planes";

bool lies_apart(const Frame& frame) {
  return frame.pixels && frame.pixels->cuda && !frame.pixels->data;
}

// A slot that holds a copy. It keeps the frame too, by which the rig counts the batches that are out.
struct Copy {
  std::shared_ptr<Arena> arena;
  std::shared_ptr<const Pixels> original;
  Pixels pixels;
};

std::shared_ptr<const Pixels> copy_in(const std::shared_ptr<Arena>& arena, std::size_t slot,
                                      std::shared_ptr<const Pixels> original) {
  const SlotView view = arena->slot(slot);
  auto copy = std::make_shared<Copy>();
  copy->arena = arena;
  copy->original = std::move(original);
  copy->pixels = {view.data, view.size_bytes, view.fd, view.fd_kind, arena.get(), slot, view.cuda};
  return {copy, &copy->pixels};
}

}  // namespace

void offer_planes(GstQuery* query) {
  GstStructure* parameters =
      gst_structure_new("lockstep-batch", kPlanes, G_TYPE_BOOLEAN, TRUE, nullptr);
  gst_query_add_allocation_meta(query, GST_LOCKSTEP_BATCH_META_API_TYPE, parameters);
  gst_structure_free(parameters);
}

bool takes_planes(GstQuery* query) {
  guint index = 0;
  if (!gst_query_find_allocation_meta(query, GST_LOCKSTEP_BATCH_META_API_TYPE, &index))
    return false;
  const GstStructure* parameters = nullptr;
  gst_query_parse_nth_allocation_meta(query, index, &parameters);
  gboolean planes = FALSE;
  return parameters && gst_structure_get_boolean(parameters, kPlanes, &planes) && planes;
}

Result<const MemoryBackend*> RangeCopies::memory_beside(const CudaPixels& frame) {
  return find_memory_backend("cuda:" + std::to_string(frame.device->ordinal()));
}

Result<RangeCopies::Place*> RangeCopies::place_beside(const CudaPixels& frame) {
  Place& place = places_[frame.device.get()];
  if (place.copier) return &place;
  auto memory = find_(frame);
  if (!memory) return std::move(memory).error();
  auto copier = (*memory)->make_copier();
  if (!copier) return std::move(copier).error();
  place.memory = *memory;
  place.copier = *std::move(copier);
  return &place;
}

// One that nobody holds a slot of: only here are references to arenas given out.
Result<std::shared_ptr<Arena>> RangeCopies::idle_arena(Place& place, std::size_t num_slots,
                                                       std::size_t slot_bytes) {
  for (const auto& arena : place.arenas)
    if (arena.use_count() == 1 && arena->num_slots() == num_slots &&
        arena->slot_stride() >= slot_bytes)
      return arena;
  std::erase_if(place.arenas, [](const auto& arena) { return arena.use_count() == 1; });
  auto made = place.memory->allocate(num_slots, slot_bytes);
  if (made) place.arenas.push_back(*made);
  return made;
}

Result<void> RangeCopies::copy(Place& place, Batch& batch, const std::vector<std::size_t>& slots,
                               const Format& format, const Layout& layout) {
  auto arena = idle_arena(place, batch.frames.size(), layout.size_bytes);
  if (!arena) return std::move(arena).error();
  std::vector<FrameCopier::Job> jobs;
  for (const std::size_t slot : slots)
    jobs.push_back({batch.frames[slot].pixels, batch.frames[slot].layout, (*arena)->slot(slot),
                    layout, format});
  if (auto copied = place.copier->copy(jobs); !copied) return copied;
  for (const std::size_t slot : slots) {
    Frame& frame = batch.frames[slot];
    frame.pixels = copy_in(*arena, slot, std::move(frame.pixels));
    frame.layout = layout;
    ++frame.info.copies;
  }
  return {};
}

Result<std::vector<std::size_t>> RangeCopies::gather(Batch& batch, const Format& format) {
  std::map<const CudaDevice*, std::vector<std::size_t>> by_gpu;
  std::vector<std::size_t> copied;
  for (std::size_t slot = 0; slot < batch.frames.size(); ++slot) {
    if (!lies_apart(batch.frames[slot])) continue;
    by_gpu[batch.frames[slot].pixels->cuda->device.get()].push_back(slot);
    copied.push_back(slot);
  }
  if (copied.empty()) return copied;
  auto layout = default_layout(format.pixel_format, format.width, format.height);
  if (!layout) return std::move(layout).error();
  for (const auto& [gpu, slots] : by_gpu) {
    auto place = place_beside(*batch.frames[slots.front()].pixels->cuda);
    if (!place) return std::move(place).error();
    if (auto done = copy(**place, batch, slots, format, *layout); !done)
      return std::move(done).error();
  }
  return copied;
}

}  // namespace lockstep
