// SPDX-License-Identifier: MIT
// GstBufferPool's own queue is left empty: a buffer that came back to it would say nothing of who still reads its
// memory. Its count of outstanding buffers still holds, and so configurations change only when all are back.
#include "gstlockstepslotpool.h"

#include <gst/video/gstvideopool.h>
#include <gst/video/video.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "gstlockstepmemory.h"
#include "lockstep/time.h"

GST_DEBUG_CATEGORY_STATIC(lockstep_slot_pool_debug);
#define GST_CAT_DEFAULT lockstep_slot_pool_debug

namespace lockstep {
namespace {

// How a pool's buffers are laid out.
struct BufferLayout {
  GstVideoInfo info;
  GstAllocationParams params;  // of ordinary memory
  bool video_meta = false;
};

}  // namespace

SlotOutlet::SlotOutlet(FdKind fd_kind, Ask ask) : fd_kind_(fd_kind), ask_(std::move(ask)) {}

void SlotOutlet::set(std::shared_ptr<SlotDispenser> dispenser, std::size_t slot) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    dispenser_.swap(dispenser);
    slot_ = slot;
  }
  if (dispenser) dispenser->wake();
}

void SlotOutlet::close() {
  std::shared_ptr<SlotDispenser> dispenser;
  Ask ask;  // What it holds may call back when let go of.
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dispenser_.swap(dispenser);
    ask_.swap(ask);
  }
  if (dispenser) dispenser->wake();
}

std::size_t SlotOutlet::slot_bytes() const {
  const std::lock_guard lock(mutex_);
  return slot_bytes_;
}

void SlotOutlet::need(std::size_t slot_bytes) {
  const std::lock_guard lock(mutex_);
  slot_bytes_ = slot_bytes;
}

void SlotOutlet::wake() {
  std::shared_ptr<SlotDispenser> dispenser;
  {
    const std::lock_guard lock(mutex_);
    dispenser = dispenser_;
  }
  if (dispenser) dispenser->wake();
}

Result<SlotOutlet::Source> SlotOutlet::source() {
  for (bool asked = false;; asked = true) {
    Ask ask;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return Error{Errc::interrupted, 0, "take a slot of an outlet that is closed"};
      if (dispenser_ && dispenser_->config().slot_bytes >= slot_bytes_)
        return Source{dispenser_, slot_, dispenser_->returns()};
      if (asked || !ask_)
        return Error{Errc::not_found, 0, "no slots of " + std::to_string(slot_bytes_) + " bytes"};
      ask = ask_;
    }
    ask();
  }
}

Result<std::shared_ptr<const Pixels>> SlotOutlet::take() {
  auto from = source();
  if (!from) return std::move(from).error();
  return from->dispenser->take(from->slot);
}

Result<std::shared_ptr<const Pixels>> SlotOutlet::wait_and_take(
    const std::function<bool()>& given_up) {
  while (true) {
    // What happens from here on counts as a return, and ends the wait: a slot that comes back, wake(), another set().
    auto from = source();
    if (!from) return std::move(from).error();
    if (given_up()) return Error{Errc::interrupted, 0, "wait for a slot"};
    auto pixels = from->dispenser->take(from->slot);
    if (pixels || pixels.error().code != Errc::busy) return pixels;
    from->dispenser->wait(from->seen, Nanoseconds::max());
  }
}

}  // namespace lockstep

namespace {

using lockstep::BufferLayout;

struct State {
  std::shared_ptr<lockstep::SlotOutlet> outlet;  // set once, before the pool is anybody else's
  BufferLayout layout;  // written while no buffer is out and none is asked for
};

}  // namespace

#define LOCKSTEP_TYPE_SLOT_POOL (lockstep_slot_pool_get_type())
G_DECLARE_FINAL_TYPE(LockstepSlotPool, lockstep_slot_pool, LOCKSTEP, SLOT_POOL, GstBufferPool)
struct _LockstepSlotPool {
  GstBufferPool parent;
  State* state;
};
G_DEFINE_TYPE_WITH_CODE(LockstepSlotPool, lockstep_slot_pool, GST_TYPE_BUFFER_POOL,
                        GST_DEBUG_CATEGORY_INIT(lockstep_slot_pool_debug, "lockstepslotpool", 0,
                                                "slots of batches for writers upstream"))

namespace {

State& state_of(GstBufferPool* pool) { return *LOCKSTEP_SLOT_POOL(pool)->state; }

// Aligns rows and planes as the configuration asks, and writes back what it came to.
bool align(GstStructure* config, BufferLayout& layout) {
  GstVideoAlignment alignment;
  // The option may come without values, as from videotestsrc 1.28: nothing beyond the defaults is asked for then.
  if (!gst_buffer_pool_config_get_video_alignment(config, &alignment))
    gst_video_alignment_reset(&alignment);
  guint mask = static_cast<guint>(layout.params.align);
  for (guint stride_mask : alignment.stride_align) mask |= stride_mask;
  std::fill(std::begin(alignment.stride_align), std::end(alignment.stride_align), mask);
  if (!gst_video_info_align(&layout.info, &alignment)) return false;
  // Slots begin at a page, but ordinary memory in their stead must be told.
  layout.params.align = mask;
  gst_buffer_pool_config_set_video_alignment(config, &alignment);
  gst_buffer_pool_config_set_allocator(config, nullptr, &layout.params);
  return true;
}

// The layout that a configuration asks for, its size with it; nothing if it makes no sense.
std::optional<BufferLayout> layout_of(GstBufferPool* pool, GstStructure* config) {
  BufferLayout layout;
  GstCaps* caps = nullptr;
  guint size = 0;
  guint min_buffers = 0;
  guint max_buffers = 0;
  if (!gst_buffer_pool_config_get_params(config, &caps, &size, &min_buffers, &max_buffers) ||
      !gst_buffer_pool_config_get_allocator(config, nullptr, &layout.params)) {
    GST_WARNING_OBJECT(pool, "configuration is incomplete: %" GST_PTR_FORMAT, config);
    return std::nullopt;
  }
  if (!caps || !gst_video_info_from_caps(&layout.info, caps)) {
    GST_WARNING_OBJECT(pool, "not video: %" GST_PTR_FORMAT, caps);
    return std::nullopt;
  }
  if (size < layout.info.size) {
    GST_WARNING_OBJECT(pool, "%u bytes are too few for %" GST_PTR_FORMAT, size, caps);
    return std::nullopt;
  }
  layout.video_meta = gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  // Without GstVideoMeta nobody could tell where the planes are.
  if (layout.video_meta &&
      gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT) &&
      !align(config, layout)) {
    GST_WARNING_OBJECT(pool, "cannot align as in %" GST_PTR_FORMAT, config);
    return std::nullopt;
  }
  layout.info.size = std::max<gsize>(size, layout.info.size);
  gst_buffer_pool_config_set_params(config, caps, static_cast<guint>(layout.info.size), min_buffers,
                                    max_buffers);
  return layout;
}

// Takes a copy, since GStreamer 1.22 wants its arrays writable.
void add_video_meta(GstBuffer* buffer, GstVideoInfo info) {
  GstVideoMeta* meta = gst_buffer_add_video_meta_full(
      buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&info), GST_VIDEO_INFO_WIDTH(&info),
      GST_VIDEO_INFO_HEIGHT(&info), GST_VIDEO_INFO_N_PLANES(&info), info.offset, info.stride);
  // As of any pool: elements do not copy it to buffers of their own.
  meta->meta.flags = static_cast<GstMetaFlags>(int{meta->meta.flags} | int{GST_META_FLAG_POOLED} |
                                               int{GST_META_FLAG_LOCKED});
}

}  // namespace

static const gchar** lockstep_slot_pool_get_options(GstBufferPool*) {
  static const gchar* options[] = {GST_BUFFER_POOL_OPTION_VIDEO_META,
                                   GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT, nullptr};
  return options;
}

static gboolean lockstep_slot_pool_set_config(GstBufferPool* pool, GstStructure* config) {
  State& state = state_of(pool);
  const auto layout = layout_of(pool, config);
  if (!layout) return FALSE;
  state.layout = *layout;
  // Who asks for padding may touch it: it must not be the next writer's slot.
  state.outlet->need(layout->info.size + layout->params.padding);
  return GST_BUFFER_POOL_CLASS(lockstep_slot_pool_parent_class)->set_config(pool, config);
}

// Nothing is taken before it is written to: a slot taken for nothing would put its writer out of step.
static gboolean lockstep_slot_pool_start(GstBufferPool*) { return TRUE; }
static gboolean lockstep_slot_pool_stop(GstBufferPool*) { return TRUE; }

static GstFlowReturn lockstep_slot_pool_acquire_buffer(GstBufferPool* pool, GstBuffer** buffer,
                                                       GstBufferPoolAcquireParams* params) {
  const State& state = state_of(pool);
  const BufferLayout& layout = state.layout;
  const auto flushing = [pool] { return GST_BUFFER_POOL_IS_FLUSHING(pool) != 0; };
  if (flushing()) return GST_FLOW_FLUSHING;
  const bool needs_slot = state.outlet->fd_kind() == lockstep::FdKind::dmabuf;
  const bool may_wait = !params || !(params->flags & GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT);
  auto pixels =
      needs_slot && may_wait ? state.outlet->wait_and_take(flushing) : state.outlet->take();
  if (pixels) {
    *buffer = gst_buffer_new();
    gst_buffer_append_memory(*buffer,
                             lockstep::slot_memory_of(*std::move(pixels), layout.info.size));
  } else if (!needs_slot) {
    GST_DEBUG_OBJECT(pool, "ordinary memory for a slot: %s", pixels.error().what.c_str());
    GstAllocationParams ordinary = layout.params;
    *buffer = gst_buffer_new_allocate(nullptr, layout.info.size, &ordinary);
    if (!*buffer) return GST_FLOW_ERROR;
  } else if (pixels.error().code == lockstep::Errc::interrupted) {
    return GST_FLOW_FLUSHING;
  } else if (pixels.error().code == lockstep::Errc::busy) {
    return GST_FLOW_EOS;
  } else {
    GST_WARNING_OBJECT(pool, "no slot: %s", pixels.error().what.c_str());
    return GST_FLOW_ERROR;
  }
  if (layout.video_meta) add_video_meta(*buffer, layout.info);
  GST_BUFFER_FLAG_UNSET(*buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  return GST_FLOW_OK;
}

static void lockstep_slot_pool_release_buffer(GstBufferPool*, GstBuffer* buffer) {
  gst_buffer_unref(buffer);
}

static void lockstep_slot_pool_flush_start(GstBufferPool* pool) { state_of(pool).outlet->wake(); }

static void lockstep_slot_pool_finalize(GObject* object) {
  delete LOCKSTEP_SLOT_POOL(object)->state;
  G_OBJECT_CLASS(lockstep_slot_pool_parent_class)->finalize(object);
}

static void lockstep_slot_pool_init(LockstepSlotPool* self) { self->state = new State; }

static void lockstep_slot_pool_class_init(LockstepSlotPoolClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = lockstep_slot_pool_finalize;
  GstBufferPoolClass* pool_class = GST_BUFFER_POOL_CLASS(klass);
  pool_class->get_options = lockstep_slot_pool_get_options;
  pool_class->set_config = lockstep_slot_pool_set_config;
  pool_class->start = lockstep_slot_pool_start;
  pool_class->stop = lockstep_slot_pool_stop;
  pool_class->acquire_buffer = lockstep_slot_pool_acquire_buffer;
  pool_class->reset_buffer = nullptr;  // Buffers are not used again.
  pool_class->release_buffer = lockstep_slot_pool_release_buffer;
  pool_class->flush_start = lockstep_slot_pool_flush_start;
}

namespace lockstep {

PoolPtr new_slot_pool(std::shared_ptr<SlotOutlet> outlet) {
  auto* pool = static_cast<GstBufferPool*>(g_object_new(LOCKSTEP_TYPE_SLOT_POOL, nullptr));
  gst_object_ref_sink(pool);
  state_of(pool).outlet = std::move(outlet);
  return PoolPtr(pool);
}

}  // namespace lockstep
