/* SPDX-License-Identifier: MIT */

/**
 * SECTION:gstlockstepbatchmeta
 * @title: GstLockstepBatchMeta
 * @short_description: The frames of one instant, one per sensor
 *
 * A batch is one #GstBuffer with a #GstLockstepBatchMeta. Each slot holds one frame as an ordinary
 * #GstBuffer, which can be mapped with gst_video_frame_map() and pushed on as it is.
 *
 * |[<!-- language="C" -->
 * GstLockstepBatchMeta *batch = gst_buffer_get_lockstep_batch_meta(buffer);
 * for (guint slot = 0; slot < batch->n_frames; slot++) {
 *   GstLockstepFrame *frame = gst_lockstep_batch_meta_get_frame(batch, slot);
 *   if (frame->state == GST_LOCKSTEP_FRAME_FRESH) look_at(slot, frame->buffer);
 * }
 * ]|
 */
#include "gst/lockstep/gstlockstepbatchmeta.h"

static GType register_enum(gsize* type, const gchar* name, const GEnumValue* values) {
  if (g_once_init_enter(type)) g_once_init_leave(type, g_enum_register_static(name, values));
  return *type;
}

GType gst_lockstep_frame_state_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
      {GST_LOCKSTEP_FRAME_MISSING, "GST_LOCKSTEP_FRAME_MISSING", "missing"},
      {GST_LOCKSTEP_FRAME_FRESH, "GST_LOCKSTEP_FRAME_FRESH", "fresh"},
      {GST_LOCKSTEP_FRAME_REPEATED, "GST_LOCKSTEP_FRAME_REPEATED", "repeated"},
      {0, NULL, NULL},
  };
  return register_enum(&type, "GstLockstepFrameState", values);
}

GType gst_lockstep_clock_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
      {GST_LOCKSTEP_CLOCK_UNKNOWN, "GST_LOCKSTEP_CLOCK_UNKNOWN", "unknown"},
      {GST_LOCKSTEP_CLOCK_MONOTONIC, "GST_LOCKSTEP_CLOCK_MONOTONIC", "monotonic"},
      {GST_LOCKSTEP_CLOCK_BOOTTIME, "GST_LOCKSTEP_CLOCK_BOOTTIME", "boottime"},
      {GST_LOCKSTEP_CLOCK_REALTIME, "GST_LOCKSTEP_CLOCK_REALTIME", "realtime"},
      {GST_LOCKSTEP_CLOCK_SIMULATED, "GST_LOCKSTEP_CLOCK_SIMULATED", "simulated"},
      {0, NULL, NULL},
  };
  return register_enum(&type, "GstLockstepClock", values);
}

GType gst_lockstep_reference_point_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
      {GST_LOCKSTEP_REFERENCE_POINT_UNKNOWN, "GST_LOCKSTEP_REFERENCE_POINT_UNKNOWN", "unknown"},
      {GST_LOCKSTEP_REFERENCE_POINT_START_OF_EXPOSURE,
       "GST_LOCKSTEP_REFERENCE_POINT_START_OF_EXPOSURE", "start-of-exposure"},
      {GST_LOCKSTEP_REFERENCE_POINT_END_OF_FRAME, "GST_LOCKSTEP_REFERENCE_POINT_END_OF_FRAME",
       "end-of-frame"},
      {GST_LOCKSTEP_REFERENCE_POINT_ARRIVAL, "GST_LOCKSTEP_REFERENCE_POINT_ARRIVAL", "arrival"},
      {0, NULL, NULL},
  };
  return register_enum(&type, "GstLockstepReferencePoint", values);
}

GType gst_lockstep_settings_state_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
      {GST_LOCKSTEP_SETTINGS_UNKNOWN, "GST_LOCKSTEP_SETTINGS_UNKNOWN", "unknown"},
      {GST_LOCKSTEP_SETTINGS_SETTLED, "GST_LOCKSTEP_SETTINGS_SETTLED", "settled"},
      {GST_LOCKSTEP_SETTINGS_CHANGING, "GST_LOCKSTEP_SETTINGS_CHANGING", "changing"},
      {GST_LOCKSTEP_SETTINGS_REFUSED, "GST_LOCKSTEP_SETTINGS_REFUSED", "refused"},
      {0, NULL, NULL},
  };
  return register_enum(&type, "GstLockstepSettingsState", values);
}

GType gst_lockstep_batch_meta_api_get_type(void) {
  static gsize type = 0;
  /* No tags: scaling or conversion of a mosaic leaves what the meta tells true. */
  static const gchar* tags[] = {NULL};
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, gst_meta_api_type_register("GstLockstepBatchMetaAPI", tags));
  return type;
}

static gboolean batch_meta_init(GstMeta* meta, gpointer params, GstBuffer* buffer) {
  GstLockstepBatchMeta* batch = (GstLockstepBatchMeta*)meta;
  const guint* n_frames = params;

  (void)buffer;
  batch->n_frames = *n_frames;
  batch->contiguous = FALSE;
  batch->batch_number = 0;
  batch->skew = 0;
  batch->uniform = FALSE;
  batch->frames = g_new0(GstLockstepFrame, batch->n_frames);
  for (guint slot = 0; slot < batch->n_frames; slot++) {
    GstLockstepFrame* frame = &batch->frames[slot];
    frame->sensor = slot;
    frame->capture_time = GST_CLOCK_TIME_NONE;
    frame->analogue_gain = frame->digital_gain = frame->red_gain = frame->blue_gain = 1.0;
  }
  return TRUE;
}

static void batch_meta_free(GstMeta* meta, GstBuffer* buffer) {
  GstLockstepBatchMeta* batch = (GstLockstepBatchMeta*)meta;

  (void)buffer;
  for (guint slot = 0; slot < batch->n_frames; slot++)
    gst_clear_buffer(&batch->frames[slot].buffer);
  g_free(batch->frames);
}

static gboolean batch_meta_transform(GstBuffer* destination, GstMeta* meta, GstBuffer* buffer,
                                     GQuark type, gpointer data) {
  const GstLockstepBatchMeta* from = (const GstLockstepBatchMeta*)meta;
  GstLockstepBatchMeta* to;

  (void)buffer;
  if (!GST_META_TRANSFORM_IS_COPY(type)) return FALSE;
  if (((GstMetaTransformCopy*)data)->region) return TRUE;

  to = gst_buffer_add_lockstep_batch_meta(destination, from->n_frames);
  to->contiguous = from->contiguous;
  to->batch_number = from->batch_number;
  to->skew = from->skew;
  to->uniform = from->uniform;
  for (guint slot = 0; slot < from->n_frames; slot++) {
    to->frames[slot] = from->frames[slot];
    if (to->frames[slot].buffer) gst_buffer_ref(to->frames[slot].buffer);
  }
  return TRUE;
}

const GstMetaInfo* gst_lockstep_batch_meta_get_info(void) {
  static const GstMetaInfo* info = NULL;
  if (g_once_init_enter(&info)) {
    const GstMetaInfo* registered = gst_meta_register(
        GST_LOCKSTEP_BATCH_META_API_TYPE, "GstLockstepBatchMeta", sizeof(GstLockstepBatchMeta),
        batch_meta_init, batch_meta_free, batch_meta_transform);
    g_once_init_leave(&info, registered);
  }
  return info;
}

/**
 * gst_buffer_add_lockstep_batch_meta:
 * @buffer: a writable #GstBuffer
 * @n_frames: number of slots, at least 1
 *
 * Makes @buffer a batch of @n_frames slots. Every slot is missing at first, with its own index as
 * sensor, no capture time and gains of 1; fill them in place.
 *
 * Returns: (transfer none): the meta on @buffer
 */
GstLockstepBatchMeta* gst_buffer_add_lockstep_batch_meta(GstBuffer* buffer, guint n_frames) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), NULL);
  g_return_val_if_fail(n_frames > 0, NULL);

  return (GstLockstepBatchMeta*)gst_buffer_add_meta(buffer, GST_LOCKSTEP_BATCH_META_INFO,
                                                    &n_frames);
}

/**
 * gst_buffer_get_lockstep_batch_meta:
 * @buffer: a #GstBuffer
 *
 * Returns: (transfer none) (nullable): the batch meta on @buffer, or %NULL if it is no batch
 */
GstLockstepBatchMeta* gst_buffer_get_lockstep_batch_meta(GstBuffer* buffer) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), NULL);

  return (GstLockstepBatchMeta*)gst_buffer_get_meta(buffer, GST_LOCKSTEP_BATCH_META_API_TYPE);
}

/**
 * gst_lockstep_batch_meta_get_n_frames:
 * @meta: a #GstLockstepBatchMeta
 *
 * Returns: the number of slots, missing ones included
 */
guint gst_lockstep_batch_meta_get_n_frames(const GstLockstepBatchMeta* meta) {
  g_return_val_if_fail(meta != NULL, 0);

  return meta->n_frames;
}

/**
 * gst_lockstep_batch_meta_get_frame:
 * @meta: a #GstLockstepBatchMeta
 * @slot: the slot, from 0
 *
 * Returns: (transfer none) (nullable): the frame of that slot, or %NULL if there is no such slot
 */
GstLockstepFrame* gst_lockstep_batch_meta_get_frame(GstLockstepBatchMeta* meta, guint slot) {
  g_return_val_if_fail(meta != NULL, NULL);

  return slot < meta->n_frames ? &meta->frames[slot] : NULL;
}
