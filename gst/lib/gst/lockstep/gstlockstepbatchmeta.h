/* SPDX-License-Identifier: MIT */
#ifndef __GST_LOCKSTEP_BATCH_META_H__
#define __GST_LOCKSTEP_BATCH_META_H__

#include <gst/gst.h>

G_BEGIN_DECLS

#ifndef GST_LOCKSTEP_API
#define GST_LOCKSTEP_API __attribute__((visibility("default"))) extern
#endif

/**
 * GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META:
 *
 * The caps feature of batches: every buffer under such caps carries a #GstLockstepBatchMeta, and
 * its caps have a field `batch-size` with the number of slots. An element for plain video/x-raw
 * refuses to link. One that takes any feature, as queue or videoconvert, passes batches on, and does
 * not negotiate where it would have to convert them.
 */
#define GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META "meta:GstLockstepBatchMeta"

/**
 * GstLockstepFrameState:
 * @GST_LOCKSTEP_FRAME_MISSING: no frame came in time; there is no buffer.
 * @GST_LOCKSTEP_FRAME_FRESH: captured at the instant of the batch.
 * @GST_LOCKSTEP_FRAME_REPEATED: the sensor's last frame once more, since none came in time.
 *
 * Whether a slot holds a frame, and which.
 */
typedef enum {
  GST_LOCKSTEP_FRAME_MISSING = 0,
  GST_LOCKSTEP_FRAME_FRESH = 1,
  GST_LOCKSTEP_FRAME_REPEATED = 2,
} GstLockstepFrameState;

/**
 * GstLockstepClock:
 * @GST_LOCKSTEP_CLOCK_UNKNOWN: the driver does not say; not comparable with anything.
 * @GST_LOCKSTEP_CLOCK_MONOTONIC: CLOCK_MONOTONIC.
 * @GST_LOCKSTEP_CLOCK_BOOTTIME: CLOCK_BOOTTIME.
 * @GST_LOCKSTEP_CLOCK_REALTIME: CLOCK_REALTIME.
 * @GST_LOCKSTEP_CLOCK_SIMULATED: a simulator's virtual clock, which starts at 0.
 *
 * The clock that a capture time is read from.
 */
typedef enum {
  GST_LOCKSTEP_CLOCK_UNKNOWN = 0,
  GST_LOCKSTEP_CLOCK_MONOTONIC = 1,
  GST_LOCKSTEP_CLOCK_BOOTTIME = 2,
  GST_LOCKSTEP_CLOCK_REALTIME = 3,
  GST_LOCKSTEP_CLOCK_SIMULATED = 4,
} GstLockstepClock;

/**
 * GstLockstepReferencePoint:
 * @GST_LOCKSTEP_REFERENCE_POINT_UNKNOWN: the driver does not say.
 * @GST_LOCKSTEP_REFERENCE_POINT_START_OF_EXPOSURE: exposure of the first row begins.
 * @GST_LOCKSTEP_REFERENCE_POINT_END_OF_FRAME: the last byte was received.
 * @GST_LOCKSTEP_REFERENCE_POINT_ARRIVAL: the frame was taken from a driver that gave no usable
 *     time of its own.
 *
 * The moment of a frame's life that its capture time names.
 */
typedef enum {
  GST_LOCKSTEP_REFERENCE_POINT_UNKNOWN = 0,
  GST_LOCKSTEP_REFERENCE_POINT_START_OF_EXPOSURE = 1,
  GST_LOCKSTEP_REFERENCE_POINT_END_OF_FRAME = 2,
  GST_LOCKSTEP_REFERENCE_POINT_ARRIVAL = 3,
} GstLockstepReferencePoint;

/**
 * GstLockstepSettingsState:
 * @GST_LOCKSTEP_SETTINGS_UNKNOWN: not known: the sensor has no control over it and does not tell.
 * @GST_LOCKSTEP_SETTINGS_SETTLED: exposed with all that its settings revision says.
 * @GST_LOCKSTEP_SETTINGS_CHANGING: between two revisions, or so near to a write that either may
 *     hold; the older is named.
 * @GST_LOCKSTEP_SETTINGS_REFUSED: the sensor did not take all that the revision asks of it; the
 *     last that it took is named.
 *
 * How what a frame was exposed with stands to the settings revision that it names.
 */
typedef enum {
  GST_LOCKSTEP_SETTINGS_UNKNOWN = 0,
  GST_LOCKSTEP_SETTINGS_SETTLED = 1,
  GST_LOCKSTEP_SETTINGS_CHANGING = 2,
  GST_LOCKSTEP_SETTINGS_REFUSED = 3,
} GstLockstepSettingsState;

typedef struct _GstLockstepFrame GstLockstepFrame;
typedef struct _GstLockstepBatchMeta GstLockstepBatchMeta;

/**
 * GstLockstepFrame:
 * @buffer: (nullable) (transfer full): the frame as an ordinary buffer of plain video/x-raw, with
 *     its own PTS and metas, owned by the meta; %NULL where the slot is missing or where only the
 *     information was kept (a mosaic). Shared with everyone who holds the batch: take a reference
 *     and gst_buffer_make_writable() before changing it.
 * @state: whether there is a frame, and which.
 * @sensor: index of the sensor in its rig; also the slot.
 * @sequence: trigger count of the sensor; a gap means that the sensor lost frames.
 * @capture_time: when it was captured, in ns since the epoch of @clock, or %GST_CLOCK_TIME_NONE.
 * @clock: the clock of @capture_time.
 * @reference_point: the moment of the frame's life that @capture_time names.
 * @exposure: exposure time in ns; 0 if the sensor does not tell.
 * @frame_duration: from one frame to the next in ns; 0 if only the frame rate tells.
 * @analogue_gain: as a factor; 1 is as sensed.
 * @digital_gain: as a factor; 1 is as sensed.
 * @red_gain: white balance, as a factor relative to green.
 * @blue_gain: white balance, as a factor relative to green.
 * @settings_revision: number of the change of settings that it was exposed under; 0 before the
 *     first.
 * @copies: how many times CPU or GPU copied its pixels since the sensor wrote them.
 * @settings_state: how what it was exposed with stands to @settings_revision.
 * @metered: whether the fields below hold: frames are metered where a light mode takes it.
 * @luma: mean of linear luma, as a share of full scale, without the darkest and the brightest
 *     twentieth of the samples.
 * @clipped_dark: share of samples at the lower end of the code range.
 * @clipped_bright: share of samples at the upper end of the code range.
 * @red: mean of linear red of samples that are neither clipped nor too dark; 0 where there are none.
 * @green: the same of green.
 * @blue: the same of blue.
 *
 * One slot of a batch. Where @state is missing only @sensor holds.
 */
struct _GstLockstepFrame {
  GstBuffer* buffer;
  GstLockstepFrameState state;
  guint sensor;
  guint64 sequence;
  GstClockTime capture_time;
  GstLockstepClock clock;
  GstLockstepReferencePoint reference_point;
  GstClockTime exposure;
  GstClockTime frame_duration;
  gdouble analogue_gain;
  gdouble digital_gain;
  gdouble red_gain;
  gdouble blue_gain;
  guint settings_revision;
  guint copies;
  GstLockstepSettingsState settings_state;
  gboolean metered;
  gdouble luma;
  gdouble clipped_dark;
  gdouble clipped_bright;
  gdouble red;
  gdouble green;
  gdouble blue;

  /*< private >*/
  gpointer _gst_reserved[4];
};

/**
 * GstLockstepBatchMeta:
 * @meta: parent #GstMeta.
 * @n_frames: number of slots.
 * @contiguous: whether the buffer's memory holds every slot, at equal distances and in slot order,
 *     with one #GstVideoMeta per slot (`id` is the slot). If not the buffer has no memory and the
 *     frames are to be had from @frames only.
 * @batch_number: counts from 0; batches that were dropped are left out of the count.
 * @skew: latest minus earliest capture time of the fresh frames, in ns.
 * @frames: (array length=n_frames): the slots, in slot order; slot i is always sensor i.
 * @uniform: whether every frame is fresh and was exposed under the same settings revision, in full;
 *     %FALSE where that is not known for certain of one of them. lockstepmux finds it of frames that
 *     lockstepdemux took out of uniform batches of one lockstepsrc.
 *
 * The frames of one instant, one per sensor. What is made of a batch keeps a meta that describes it
 * without its frames: a mosaic one of all slots, a frame from lockstepdemux one of its slot alone,
 * where @batch_number, @skew and @uniform are those of the batch it comes from.
 *
 * gst_buffer_copy() and its kin copy the meta and take a reference on each frame: no pixel is
 * copied, not even by gst_buffer_copy_deep(). A copy of a part of the buffer has no batch meta.
 */
struct _GstLockstepBatchMeta {
  GstMeta meta;

  guint n_frames;
  gboolean contiguous;
  guint64 batch_number;
  GstClockTime skew;
  GstLockstepFrame* frames;
  gboolean uniform;

  /*< private >*/
  gpointer _gst_reserved[4];
};

#define GST_TYPE_LOCKSTEP_FRAME_STATE (gst_lockstep_frame_state_get_type())
GST_LOCKSTEP_API
GType gst_lockstep_frame_state_get_type(void);

#define GST_TYPE_LOCKSTEP_CLOCK (gst_lockstep_clock_get_type())
GST_LOCKSTEP_API
GType gst_lockstep_clock_get_type(void);

#define GST_TYPE_LOCKSTEP_REFERENCE_POINT (gst_lockstep_reference_point_get_type())
GST_LOCKSTEP_API
GType gst_lockstep_reference_point_get_type(void);

#define GST_TYPE_LOCKSTEP_SETTINGS_STATE (gst_lockstep_settings_state_get_type())
GST_LOCKSTEP_API
GType gst_lockstep_settings_state_get_type(void);

#define GST_LOCKSTEP_BATCH_META_API_TYPE (gst_lockstep_batch_meta_api_get_type())
GST_LOCKSTEP_API
GType gst_lockstep_batch_meta_api_get_type(void);

#define GST_LOCKSTEP_BATCH_META_INFO (gst_lockstep_batch_meta_get_info())
GST_LOCKSTEP_API
const GstMetaInfo* gst_lockstep_batch_meta_get_info(void);

GST_LOCKSTEP_API
GstLockstepBatchMeta* gst_buffer_add_lockstep_batch_meta(GstBuffer* buffer, guint n_frames);

GST_LOCKSTEP_API
GstLockstepBatchMeta* gst_buffer_get_lockstep_batch_meta(GstBuffer* buffer);

GST_LOCKSTEP_API
guint gst_lockstep_batch_meta_get_n_frames(const GstLockstepBatchMeta* meta);

GST_LOCKSTEP_API
GstLockstepFrame* gst_lockstep_batch_meta_get_frame(GstLockstepBatchMeta* meta, guint slot);

G_END_DECLS

#endif /* __GST_LOCKSTEP_BATCH_META_H__ */
