// SPDX-License-Identifier: MIT
#include "frame_source.h"

#include <gst/base/gstpushsrc.h>
#include <gst/video/video.h>

#include <cstring>

#include "pipeline.h"

namespace {

enum Property : guint {
  PROP_CAPS = 1,
  PROP_SLOTS,
  PROP_NUM_PREPARED,
  PROP_LOSE_EACH,
  PROP_IS_LIVE
};

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw"));

}  // namespace

// The properties are set before it starts; all else is the streaming thread's.
struct _LockstepFrameSource {
  GstPushSrc parent;
  GstCaps* caps;
  gboolean slots;
  guint num_prepared;
  guint lose_each;

  GstVideoInfo info;
  GPtrArray* prepared;  // Memories that frames share in turn; written once.
  GstBufferPool* pool;  // Of the slots; null where none are offered or wanted.
  guint64 num_asked;    // Frames that may be made: num-buffers.
  guint64 num_made;
  guint64 number;  // Of the next frame, those left out counted too.
  double cpu_begin;
  double cpu_end;
};

#define LOCKSTEP_TYPE_FRAME_SOURCE (lockstep_frame_source_get_type())
G_DECLARE_FINAL_TYPE(LockstepFrameSource, lockstep_frame_source, LOCKSTEP, FRAME_SOURCE, GstPushSrc)
G_DEFINE_TYPE(LockstepFrameSource, lockstep_frame_source, GST_TYPE_PUSH_SRC)

namespace {

guint64 num_untimed(const LockstepFrameSource* self) { return self->num_asked / 10; }

gboolean start(GstBaseSrc* source) {
  auto* self = LOCKSTEP_FRAME_SOURCE(source);
  gint num_buffers = 0;
  g_object_get(self, "num-buffers", &num_buffers, nullptr);
  self->num_asked = num_buffers > 0 ? static_cast<guint64>(num_buffers) : 0;
  self->num_made = 0;
  self->number = 0;
  return self->caps != nullptr && gst_video_info_from_caps(&self->info, self->caps);
}

void let_go(LockstepFrameSource* self) {
  gst_clear_object(&self->pool);
  g_clear_pointer(&self->prepared, g_ptr_array_unref);
}

gboolean stop(GstBaseSrc* source) {
  let_go(LOCKSTEP_FRAME_SOURCE(source));
  return TRUE;
}

GstCaps* get_caps(GstBaseSrc* source, GstCaps* filter) {
  GstCaps* caps = LOCKSTEP_FRAME_SOURCE(source)->caps;
  if (!caps) return nullptr;
  return filter ? gst_caps_intersect(caps, filter) : gst_caps_ref(caps);
}

gboolean decide_allocation(GstBaseSrc* source, GstQuery* query) {
  auto* self = LOCKSTEP_FRAME_SOURCE(source);
  while (!self->slots && gst_query_get_n_allocation_pools(query) > 0)
    gst_query_remove_nth_allocation_pool(query, 0);
  if (!GST_BASE_SRC_CLASS(lockstep_frame_source_parent_class)->decide_allocation(source, query))
    return FALSE;
  gst_clear_object(&self->pool);
  if (gst_query_get_n_allocation_pools(query) > 0)
    gst_query_parse_nth_allocation_pool(query, 0, &self->pool, nullptr, nullptr, nullptr);
  return TRUE;
}

void unref_memory(gpointer memory) { gst_memory_unref(static_cast<GstMemory*>(memory)); }

void prepare(LockstepFrameSource* self) {
  self->prepared = g_ptr_array_new_with_free_func(unref_memory);
  for (guint i = 0; i < self->num_prepared; ++i) {
    GstMemory* memory = gst_allocator_alloc(nullptr, GST_VIDEO_INFO_SIZE(&self->info), nullptr);
    GstMapInfo map;
    if (gst_memory_map(memory, &map, GST_MAP_WRITE)) {
      // Pages that were never written would all be the same zeroes, and be read faster than any picture.
      std::memset(map.data, 100, map.size);
      gst_memory_unmap(memory, &map);
    }
    g_ptr_array_add(self->prepared, memory);
  }
}

GstBuffer* prepared_frame(LockstepFrameSource* self) {
  if (!self->prepared) prepare(self);
  const auto turn = static_cast<guint>(self->num_made % self->num_prepared);
  GstBuffer* buffer = gst_buffer_new();
  gst_buffer_append_memory(
      buffer, gst_memory_ref(static_cast<GstMemory*>(g_ptr_array_index(self->prepared, turn))));
  return buffer;
}

GstFlowReturn stamped_slot(LockstepFrameSource* self, GstBuffer** buffer) {
  const GstFlowReturn flow = gst_buffer_pool_acquire_buffer(self->pool, buffer, nullptr);
  GstMapInfo map;
  if (flow != GST_FLOW_OK || !gst_buffer_map(*buffer, &map, GST_MAP_WRITE)) return flow;
  std::memcpy(map.data, &self->number, sizeof self->number);
  gst_buffer_unmap(*buffer, &map);
  return flow;
}

GstFlowReturn create(GstPushSrc* source, GstBuffer** buffer) {
  auto* self = LOCKSTEP_FRAME_SOURCE(source);
  if (self->num_made == num_untimed(self)) self->cpu_begin = lockstep::bench::thread_cpu_seconds();
  if (++self->num_made == self->num_asked) self->cpu_end = lockstep::bench::thread_cpu_seconds();
  if (self->lose_each > 0 && self->number % self->lose_each == self->lose_each - 1) ++self->number;
  if (self->pool) {
    const GstFlowReturn flow = stamped_slot(self, buffer);
    if (flow != GST_FLOW_OK) return flow;
  } else {
    *buffer = prepared_frame(self);
  }
  const auto fps_n = static_cast<guint64>(GST_VIDEO_INFO_FPS_N(&self->info));
  const auto fps_d = static_cast<guint64>(GST_VIDEO_INFO_FPS_D(&self->info));
  GST_BUFFER_PTS(*buffer) = gst_util_uint64_scale(self->number++, GST_SECOND * fps_d, fps_n);
  GST_BUFFER_DURATION(*buffer) = gst_util_uint64_scale(1, GST_SECOND * fps_d, fps_n);
  return GST_FLOW_OK;
}

void get_times(GstBaseSrc* source, GstBuffer* buffer, GstClockTime* begin, GstClockTime* end) {
  const bool live = gst_base_src_is_live(source);
  *begin = live ? GST_BUFFER_PTS(buffer) : GST_CLOCK_TIME_NONE;
  *end = live ? GST_BUFFER_PTS(buffer) + GST_BUFFER_DURATION(buffer) : GST_CLOCK_TIME_NONE;
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  auto* self = LOCKSTEP_FRAME_SOURCE(object);
  switch (id) {
    case PROP_CAPS:
      gst_caps_replace(&self->caps, static_cast<GstCaps*>(g_value_get_boxed(value)));
      break;
    case PROP_SLOTS:
      self->slots = g_value_get_boolean(value);
      break;
    case PROP_NUM_PREPARED:
      self->num_prepared = g_value_get_uint(value);
      break;
    case PROP_LOSE_EACH:
      self->lose_each = g_value_get_uint(value);
      break;
    case PROP_IS_LIVE:
      gst_base_src_set_live(GST_BASE_SRC(self), g_value_get_boolean(value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

void finalize(GObject* object) {
  auto* self = LOCKSTEP_FRAME_SOURCE(object);
  let_go(self);
  gst_caps_replace(&self->caps, nullptr);
  G_OBJECT_CLASS(lockstep_frame_source_parent_class)->finalize(object);
}

}  // namespace

static void lockstep_frame_source_class_init(LockstepFrameSourceClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->finalize = finalize;
  const auto writable =
      static_cast<GParamFlags>(int{G_PARAM_WRITABLE} | int{G_PARAM_STATIC_STRINGS});
  g_object_class_install_property(
      object_class, PROP_CAPS,
      g_param_spec_boxed("caps", "Caps", "What it sends", GST_TYPE_CAPS, writable));
  g_object_class_install_property(
      object_class, PROP_SLOTS,
      g_param_spec_boolean("slots", "Slots", "Write into the pool that is offered", FALSE,
                           writable));
  g_object_class_install_property(
      object_class, PROP_NUM_PREPARED,
      g_param_spec_uint("num-prepared", "Number prepared", "Frames whose pixels there are", 1,
                        G_MAXUINT, 1, writable));
  g_object_class_install_property(
      object_class, PROP_LOSE_EACH,
      g_param_spec_uint("lose-each", "Lose each", "Leave out every n-th frame (0: none)", 0,
                        G_MAXUINT, 0, writable));
  g_object_class_install_property(
      object_class, PROP_IS_LIVE,
      g_param_spec_boolean("is-live", "Is live", "Send each frame at its time", FALSE, writable));

  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_set_static_metadata(element_class, "Frame source", "Source/Video",
                                        "Frames that cost next to nothing", "The Lockstep authors");
  gst_element_class_add_static_pad_template(element_class, &src_template);
  auto* source_class = GST_BASE_SRC_CLASS(klass);
  source_class->start = start;
  source_class->stop = stop;
  source_class->get_caps = get_caps;
  source_class->decide_allocation = decide_allocation;
  source_class->get_times = get_times;
  GST_PUSH_SRC_CLASS(klass)->create = create;
}

static void lockstep_frame_source_init(LockstepFrameSource* self) {
  self->num_prepared = 1;
  gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
}

namespace lockstep::bench {

void register_frame_source() {
  gst_element_register(nullptr, "lockstepframesource", GST_RANK_NONE, LOCKSTEP_TYPE_FRAME_SOURCE);
}

double cpu_seconds_per_frame(GstElement* frame_source) {
  const LockstepFrameSource* self = LOCKSTEP_FRAME_SOURCE(frame_source);
  return (self->cpu_end - self->cpu_begin) /
         static_cast<double>(self->num_asked - 1 - num_untimed(self));
}

}  // namespace lockstep::bench
