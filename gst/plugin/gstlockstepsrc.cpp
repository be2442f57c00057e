// SPDX-License-Identifier: MIT
/**
 * SECTION:element-lockstepsrc
 * @title: lockstepsrc
 * @short_description: N cameras in, one batch out
 *
 * Captures the frames of one instant from several sensors, straight into one batched buffer. Each
 * buffer carries a GstLockstepBatchMeta with one frame per sensor, slot i always sensor i; its
 * PTS is the start of exposure of its earliest frame.
 *
 * Without a camera it shows four simulated sensors:
 * |[
 * gst-launch-1.0 lockstepsrc num-buffers=60 ! locksteptiler ! videoconvert ! autovideosink
 * ]|
 * Four cameras into one recording:
 * |[
 * gst-launch-1.0 lockstepsrc sensors="v4l2:/dev/video0;v4l2:/dev/video1;v4l2:/dev/video2;v4l2:/dev/video3" num-buffers=900 ! queue ! locksteptiler width=1920 height=1080 rows=2 columns=2 ! videoconvert ! x264enc ! h264parse ! matroskamux ! filesink location=test.mkv
 * ]|
 *
 * With `memory=cuda` batches are in the memory of a GPU, the caps have the feature memory:CUDAMemory,
 * and each frame is a GstCudaMemory, as is the whole batch. locksteptiler and lockstepdemux take that,
 * and cudadownload, cudaconvert or nvh264enc take what these give. Frames that sensors lend in GPU
 * memory come so whatever `memory` says. Elements next to this one share its GstCudaContext, the
 * primary context. This takes a plugin built with gstreamer-cuda-1.0, 1.24 or newer.
 *
 * A consumer that is slower than the sensors gets batches that have waited, max-batches of them at most, while
 * new ones are dropped. A live view takes the newest instead:
 * |[
 * gst-launch-1.0 lockstepsrc num-buffers=60 leaky=downstream ! locksteptiler ! videoconvert ! queue leaky=downstream max-size-buffers=1 ! autovideosink
 * ]|
 * `sensors`, `num-sensors`, `memory`, `layout`, `max-batches` and `leaky` are fixed while the sensors are open, from
 * READY on: a change is refused with a warning.
 *
 * Element messages on the bus: `lockstep-sensor-lost` (sensor, name, text), `lockstep-sensor-back`
 * (sensor, name), `lockstep-frames-dropped` (sensor, name, reason, count; at most one a second for
 * each sensor and reason), `lockstep-settings-refused` and `lockstep-no-settings` (sensor, name,
 * text). A change of settings that is refused before anything is written, such as an exposure longer
 * than the frame, is a `lockstep-settings-refused` with a text alone.
 *
 * ## Light
 *
 * `exposure-time`, `analogue-gain`, `digital-gain`, `red-gain`, `blue-gain` and `frame-duration` may
 * be set at any time, before the start too. What one g_object_set() sets is one revision, which takes
 * effect on the same trigger in every sensor. `light-mode` says who else decides. A child
 * `sensor_0`, `sensor_1` ... has the same properties, which hold for that sensor whatever is asked
 * of the others:
 * |[
 * gst-launch-1.0 lockstepsrc num-buffers=60 light-mode=shared sensor_1::analogue-gain=2 ! locksteptiler ! videoconvert ! autovideosink
 * ]|
 *
 * With light-mode=application the signal `light` tells of each batch and asks for settings. Its
 * argument, a structure "lockstep-light", has the fields `batch` (GstLockstepBatchMeta.batch_number),
 * `running-time`, `capture-time` and `frame-period` (guint64, ns), `uniform` (gboolean),
 * `latest-revision` (guint) and `sensors`: a GstValueArray of a structure for each sensor. Each has
 * `sensor` (guint), `state` ("fresh", "repeated", "missing"), what it was last asked as a structure
 * `wanted`, and the range of each setting it has, such as `exposure-time-min` and
 * `exposure-time-max`; unless missing `sequence`, `capture-time`, `settings-revision`,
 * `settings-state` ("settled", "changing", "refused", "unknown") and what it was exposed with under
 * the names of the properties; and if fresh its metering, as shares of full scale: `luma` (mean of
 * linear luma without the darkest and brightest twentieth), `mean`, `clipped-dark`,
 * `clipped-bright`, `red`, `green`, `blue`, and `histogram` (GBytes of 256 floats).
 *
 * A handler returns %NULL, or a structure with fields named as the properties, of any type of number,
 * for every sensor that can; and, in a field `sensors`, a GstValueArray of one such structure for
 * each sensor. The first handler that returns a structure decides. One that asks for nonsense is
 * told so by a warning, at most once a second, and the last settings hold.
 *
 * With cameras, handlers are called in a thread of their own, always with the newest report: one
 * that is slow skips batches (`light-reports-skipped` in `stats`) and does not hold up the stream.
 * On a simulator's virtual clock they are called before the batch leaves, so that runs are
 * repeatable. Going to READY waits for a handler to return; one must not change the source's state,
 * and must not throw C++ exceptions through GObject.
 */
// Locks: the object lock guards SrcSettings and the pointer to the rig, and is never held while the rig is called;
// State::regrouping, taken before it, lets one thread at a time change how the rig groups. The rig
// is made and dropped by state changes between NULL and READY and captured from by the streaming thread. What is asked of
// the light has locks of its own, see LightControl; they are taken before the object lock.
#include "gstlockstepsrc.h"

#include <gst/video/video.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "gstlockstepbatchbuffer.h"
#include "gstlockstepbatchsupply.h"
#include "gstlockstepcaps.h"
#include "gstlocksteperror.h"
#include "gstlockstepevents.h"
#include "gstlockstepgpu.h"
#include "gstlockstephandles.h"
#include "gstlocksteplightproperties.h"
#include "gstlocksteplightsignal.h"
#include "gstlockstepranges.h"
#include "gstlocksteprunningtime.h"
#include "gstlockstepsourcelight.h"
#include "gstlockstepsrccaps.h"
#include "gstlockstepsrcsettings.h"
#include "gstlockstepstats.h"
#include "lockstep/rig.h"

GST_DEBUG_CATEGORY_STATIC(lockstep_src_debug);
#define GST_CAT_DEFAULT lockstep_src_debug

namespace {

using lockstep::BatchSupply;
using lockstep::BatchWrapper;
using lockstep::Errc;
using lockstep::Error;
using lockstep::FrameMemory;
using lockstep::LightStats;
using lockstep::Nanoseconds;
using lockstep::RangeCopies;
using lockstep::Result;
using lockstep::Rig;
using lockstep::RigEvent;
using lockstep::RigStats;
using lockstep::RunningTime;
using lockstep::SourceLight;

struct State {
  lockstep::SrcSettings settings;     // object lock
  std::optional<SourceLight> light;   // constant; has its own locks
  std::optional<BatchSupply> supply;  // the same
  bool open = false;                  // object lock; what opens the rig is fixed
  std::shared_ptr<Rig> rig;           // object lock
  std::mutex regrouping;              // held while grouping is taken over; before the object lock
  RigStats last_stats;                // object lock; of the rig that was
  LightStats last_light;              // object lock; the same
  std::optional<lockstep::Format> configured;  // streaming thread; what the sensors are set to
  std::optional<BatchWrapper> wrapper;         // streaming thread
  std::optional<RangeCopies> ranges;  // streaming thread; none where downstream takes planes
  GstClockTime period = 0;            // object lock; 0 until configured
};

}  // namespace

struct _GstLockstepSrc {
  GstPushSrc parent;
  State* state;
};

static void implement_child_proxy(gpointer iface, gpointer);

G_DEFINE_TYPE_WITH_CODE(GstLockstepSrc, gst_lockstep_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_CHILD_PROXY, implement_child_proxy)
                            GST_DEBUG_CATEGORY_INIT(lockstep_src_debug, "lockstepsrc", 0,
                                                    "N cameras in, one batch out"))
GST_ELEMENT_REGISTER_DEFINE(lockstepsrc, "lockstepsrc", GST_RANK_NONE, GST_TYPE_LOCKSTEP_SRC)

namespace {

std::shared_ptr<Rig> rig_of(GstLockstepSrc* self) {
  GST_OBJECT_LOCK(self);
  auto rig = self->state->rig;
  GST_OBJECT_UNLOCK(self);
  return rig;
}

lockstep::Leaky leaky_of(GstLockstepSrc* self) {
  GST_OBJECT_LOCK(self);
  const lockstep::Leaky leaky = self->state->settings.leaky;
  GST_OBJECT_UNLOCK(self);
  return leaky;
}

bool is_virtual(const Rig& rig) { return rig.clock() == lockstep::Clock::simulated; }

void log_event(GstLockstepSrc* self, const RigEvent& event) {
  if (event.kind == RigEvent::Kind::frames_dropped)
    GST_INFO_OBJECT(self, "sensor %zu: %" G_GUINT64_FORMAT " frames dropped, %s", event.sensor,
                    guint64{event.count}, to_string(event.reason));
  else
    GST_INFO_OBJECT(self, "sensor %zu: %s: %s", event.sensor, to_string(event.kind),
                    event.error.what.c_str());
}

// Opens the sensors; whether they can be had at all is known from here on.
bool open_rig(GstLockstepSrc* self) {
  GST_OBJECT_LOCK(self);
  self->state->open = true;
  const lockstep::SrcSettings settings = self->state->settings;
  GST_OBJECT_UNLOCK(self);
  auto config = settings.rig_config();
  Result<void> valid = config ? self->state->light->configure(*config) : config.error();
  if (valid) valid = lockstep::check_memory(settings, nullptr);
  if (!valid) {
    lockstep::post_error(GST_ELEMENT(self), valid.error());
    return false;
  }
  std::vector<std::string> names;
  for (const auto& spec : config->sensors) names.push_back(to_string(spec));
  config->on_event = [self, names = std::move(names)](const RigEvent& event) {
    log_event(self, event);
    lockstep::post_event(GST_ELEMENT(self), names[event.sensor], event);
  };
  auto rig = Rig::open(*std::move(config));
  if (!rig) {
    lockstep::post_error(GST_ELEMENT(self), rig.error());
    return false;
  }
  if (auto formats = (*rig)->formats(); !formats) {
    lockstep::post_error(GST_ELEMENT(self), formats.error());
    return false;
  }
  if (auto passed_on = lockstep::check_memory(settings, rig->get()); !passed_on) {
    lockstep::post_error(GST_ELEMENT(self), passed_on.error());
    return false;
  }
  if (auto gpu = lockstep::gpu_of(settings, rig->get()))
    lockstep::announce_cuda_context(GST_ELEMENT(self), *gpu);
  gst_base_src_set_live(GST_BASE_SRC(self), !is_virtual(**rig));
  GST_INFO_OBJECT(self, "opened %zu sensors, memory %s, %s clock", (*rig)->num_sensors(),
                  settings.memory.c_str(), to_string((*rig)->clock()));
  GST_OBJECT_LOCK(self);
  self->state->rig = *std::move(rig);
  self->state->period = 0;
  GST_OBJECT_UNLOCK(self);
  return true;
}

void close_rig(GstLockstepSrc* self) {
  auto rig = rig_of(self);
  RigStats stats;
  LightStats light;
  if (rig) {
    stats = rig->stats();
    light = self->state->light->stats(*rig);
  }
  GST_OBJECT_LOCK(self);
  self->state->last_stats = std::move(stats);
  self->state->last_light = std::move(light);
  self->state->rig.reset();
  self->state->open = false;
  GST_OBJECT_UNLOCK(self);
}

GstCaps* get_caps(GstBaseSrc* base, GstCaps* filter) {
  auto* self = GST_LOCKSTEP_SRC(base);
  auto rig = rig_of(self);
  lockstep::CapsPtr caps(gst_pad_get_pad_template_caps(GST_BASE_SRC_PAD(base)));
  if (rig) {
    auto formats = rig->formats();
    if (!formats) return gst_caps_new_empty();
    caps = lockstep::batch_caps_of(*formats, static_cast<guint>(rig->num_sensors()),
                                   lockstep::frame_memory(*rig));
  }
  if (!filter) return caps.release();
  return gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST);
}

// Sets the sensors to what the caps say, unless they are.
Result<void> configure(GstLockstepSrc* self, Rig& rig, const GstCaps* caps) {
  const auto info = lockstep::parse_batch_caps(caps);
  if (!info) return Error{Errc::no_common_format, 0, "set the sensors to caps of no batch"};
  if (self->state->configured == info->format()) return {};
  self->state->supply->end();
  self->state->wrapper.reset();
  self->state->configured.reset();
  auto configured = rig.configure(info->format());
  if (configured) self->state->configured = info->format();
  return configured;
}

// Caps say what colours mean, and that is known of a sensor only once it is set to a format: so it is here that they are.
GstCaps* fixate(GstBaseSrc* base, GstCaps* caps) {
  auto* self = GST_LOCKSTEP_SRC(base);
  const auto rig = rig_of(self);
  const lockstep::CapsPtr allowed(lockstep::nearest_to_usual(caps));
  lockstep::CapsPtr fixed(GST_BASE_SRC_CLASS(gst_lockstep_src_parent_class)
                              ->fixate(base, gst_caps_copy(allowed.get())));
  if (!rig || !gst_caps_is_fixed(fixed.get())) return fixed.release();
  const auto configured = configure(self, *rig, fixed.get());
  Result<lockstep::CapsPtr> complete =
      configured ? lockstep::caps_of_sensors(*rig, fixed.get(), allowed.get()) : configured.error();
  if (complete) return complete->release();
  lockstep::post_error(GST_ELEMENT(self), complete.error());
  return gst_caps_new_empty();
}

// The base class reports that it failed, but neither what was wanted nor what there is.
gboolean negotiate(GstBaseSrc* base) {
  if (GST_BASE_SRC_CLASS(gst_lockstep_src_parent_class)->negotiate(base)) return TRUE;
  auto rig = rig_of(GST_LOCKSTEP_SRC(base));
  const auto error = rig ? lockstep::caps_mismatch(GST_BASE_SRC_PAD(base), *rig) : std::nullopt;
  if (error) lockstep::post_error(GST_ELEMENT(base), *error);
  return FALSE;
}

gboolean set_caps(GstBaseSrc* base, GstCaps* caps) {
  auto* self = GST_LOCKSTEP_SRC(base);
  auto rig = rig_of(self);
  auto info = lockstep::parse_batch_caps(caps);
  if (!rig || !info) return FALSE;
  self->state->supply->end();
  // Caps that are new though the format is not begin anew like others.
  if (self->state->wrapper) self->state->configured.reset();
  self->state->wrapper.reset();
  Result<void> ready = configure(self, *rig, caps);
  if (ready && info->memory == FrameMemory::dmabuf && !rig->delivers_dmabufs())
    ready =
        Error{Errc::not_supported, 0,
              "layout=reference passes on the drivers' own buffers, which are no dma-bufs here; "
              "use layout=auto or memory=memfd"};
  if (ready) {
    self->state->light->begin(rig);
    ready = rig->start();
  }
  if (ready) ready = self->state->supply->begin(rig, leaky_of(self));
  if (!ready) {
    self->state->configured.reset();
    lockstep::post_error(GST_ELEMENT(self), ready.error());
    return FALSE;
  }
  GST_OBJECT_LOCK(self);
  self->state->period = gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(&info->frame),
                                                  std::max(GST_VIDEO_INFO_FPS_N(&info->frame), 1));
  GST_OBJECT_UNLOCK(self);
  GST_INFO_OBJECT(self, "streams %" GST_PTR_FORMAT, caps);
  for (const auto& sensor : rig->stats().sensors)
    GST_DEBUG_OBJECT(self, "%s: %s", sensor.name.c_str(), sensor.io.c_str());
  self->state->wrapper.emplace(*info);
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
  return TRUE;
}

// Downstream says whether it reads frames on a GPU by their planes; for all others each is one range of memory.
gboolean decide_allocation(GstBaseSrc* base, GstQuery* query) {
  auto& ranges = GST_LOCKSTEP_SRC(base)->state->ranges;
  ranges.reset();
  if (!lockstep::takes_planes(query)) ranges.emplace();
  return GST_BASE_SRC_CLASS(gst_lockstep_src_parent_class)->decide_allocation(base, query);
}

GstClockTime running_time(GstLockstepSrc* self, Nanoseconds captured) {
  auto rig = rig_of(self);
  const GstClockTimeDiff offset = rig ? RunningTime::offset(GST_ELEMENT(self), *rig) : 0;
  return static_cast<GstClockTime>(std::max<gint64>(captured.count() + offset, 0));
}

Result<GstBuffer*> wrap(GstLockstepSrc* self, Rig& rig, lockstep::Batch batch,
                        GstClockTimeDiff offset) {
  State& state = *self->state;
  GST_OBJECT_LOCK(self);
  const GstClockTime period = state.period;
  GST_OBJECT_UNLOCK(self);
  if (state.ranges) {
    auto copied = state.ranges->gather(batch, rig.format());
    if (!copied) return std::move(copied).error();
    rig.report_copies(*copied);
  }
  auto wrapped = state.wrapper->wrap(std::move(batch), {offset, period});
  if (!wrapped) return std::move(wrapped).error();
  return wrapped->release();
}

GstFlowReturn create(GstPushSrc* push, GstBuffer** buffer) {
  auto* self = GST_LOCKSTEP_SRC(push);
  auto rig = rig_of(self);
  if (!rig || !self->state->wrapper) return GST_FLOW_NOT_NEGOTIATED;
  auto taken = self->state->supply->take();
  if (!taken) {
    if (taken.error().code == Errc::interrupted) return GST_FLOW_FLUSHING;
    lockstep::post_error(GST_ELEMENT(self), taken.error());
    return GST_FLOW_ERROR;
  }
  const Nanoseconds ready_at = taken->batch.ready_at;
  auto wrapped = wrap(self, *rig, std::move(taken->batch), taken->offset);
  if (!wrapped) {
    lockstep::post_error(GST_ELEMENT(self), wrapped.error());
    return GST_FLOW_ERROR;
  }
  *buffer = *wrapped;
  GST_LOG_OBJECT(self, "passes on batch %" G_GUINT64_FORMAT ", PTS %" GST_TIME_FORMAT,
                 GST_BUFFER_OFFSET(*buffer), GST_TIME_ARGS(GST_BUFFER_PTS(*buffer)));
  self->state->supply->passed_on(GST_BUFFER_PTS(*buffer));
  rig->report_departure(ready_at);
  return GST_FLOW_OK;
}

gboolean unlock(GstBaseSrc* base) {
  GST_LOCKSTEP_SRC(base)->state->supply->interrupt();
  return TRUE;
}

gboolean unlock_stop(GstBaseSrc* base) {
  GST_LOCKSTEP_SRC(base)->state->supply->resume();
  return TRUE;
}

gboolean stop(GstBaseSrc* base) {
  auto* self = GST_LOCKSTEP_SRC(base);
  self->state->light->end();
  self->state->supply->end();
  if (auto rig = rig_of(self)) {
    rig->stop();
    const RigStats stats = rig->stats();
    GST_INFO_OBJECT(self,
                    "stopped after %" G_GUINT64_FORMAT " batches, %" G_GUINT64_FORMAT " dropped",
                    guint64{stats.batches}, guint64{stats.dropped_batches});
  }
  self->state->configured.reset();
  self->state->wrapper.reset();
  self->state->ranges.reset();
  self->state->supply->reset();
  GST_OBJECT_LOCK(self);
  self->state->period = 0;
  GST_OBJECT_UNLOCK(self);
  return TRUE;
}

gboolean is_seekable(GstBaseSrc*) { return FALSE; }

// A frame is ready at most a period after its exposure began, its batch at most max-wait later; max-batches more can
// be held before frames are dropped.
gboolean answer_latency(GstLockstepSrc* self, const Rig& rig, GstQuery* query) {
  GST_OBJECT_LOCK(self);
  const GstClockTime period = self->state->period;
  const guint max_batches = self->state->settings.max_batches;
  GST_OBJECT_UNLOCK(self);
  if (period == 0) return FALSE;
  const GstClockTime min = period + static_cast<GstClockTime>(rig.sync().max_wait.count());
  gst_query_set_latency(query, TRUE, min, min + max_batches * period);
  return TRUE;
}

bool answer_context(GstLockstepSrc* self, GstQuery* query) {
  GST_OBJECT_LOCK(self);
  const lockstep::SrcSettings settings = self->state->settings;
  const auto rig = self->state->rig;
  GST_OBJECT_UNLOCK(self);
  const auto gpu = lockstep::gpu_of(settings, rig.get());
  return gpu && lockstep::answer_cuda_query(GST_ELEMENT(self), query, *gpu);
}

gboolean query(GstBaseSrc* base, GstQuery* query) {
  auto* self = GST_LOCKSTEP_SRC(base);
  if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
    auto rig = rig_of(self);
    if (rig && !is_virtual(*rig)) return answer_latency(self, *rig, query);
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT && answer_context(self, query)) return TRUE;
  return GST_BASE_SRC_CLASS(gst_lockstep_src_parent_class)->query(base, query);
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition) {
  auto* self = GST_LOCKSTEP_SRC(element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !open_rig(self)) {
    close_rig(self);
    return GST_STATE_CHANGE_FAILURE;
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING) self->state->supply->play();
  const GstStateChangeReturn changed =
      GST_ELEMENT_CLASS(gst_lockstep_src_parent_class)->change_state(element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL ||
      (transition == GST_STATE_CHANGE_NULL_TO_READY && changed == GST_STATE_CHANGE_FAILURE))
    close_rig(self);
  return changed;
}

// Changes grouping, while running too. What the rig refuses is never a property's value, so that nothing has to be
// undone; one thread at a time, so that the rig has in the end what the properties say.
void regroup(GstLockstepSrc* self, guint id, const GValue* value) {
  Result<void> taken;
  std::shared_ptr<Rig> rig;
  {
    std::lock_guard regrouping(self->state->regrouping);
    GST_OBJECT_LOCK(self);
    lockstep::SrcSettings wanted = self->state->settings;
    rig = self->state->rig;
    GST_OBJECT_UNLOCK(self);
    lockstep::set_src_property(wanted, id, value);
    if (rig) taken = rig->set_grouping(wanted.grouping());
    GST_OBJECT_LOCK(self);
    if (taken) lockstep::set_src_property(self->state->settings, id, value);
    GST_OBJECT_UNLOCK(self);
  }
  if (!taken)
    lockstep::post_warning(GST_ELEMENT(self), taken.error());
  else if (rig)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  auto* self = GST_LOCKSTEP_SRC(object);
  if (lockstep::is_light_property(id)) return self->state->light->set_property(id, value);
  if (lockstep::is_grouping_property(id)) return regroup(self, id, value);
  GST_OBJECT_LOCK(self);
  const bool open = self->state->open;
  const bool known = open || lockstep::set_src_property(self->state->settings, id, value);
  GST_OBJECT_UNLOCK(self);
  if (!known) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  if (!open) return;
  lockstep::post_warning(
      GST_ELEMENT(self),
      Error{Errc::invalid_argument, 0,
            std::string("set ") + spec->name +
                " while the sensors are open, the old value holds; set it in the state NULL"});
}

lockstep::StructurePtr stats_of(GstLockstepSrc* self) {
  if (auto rig = rig_of(self)) {
    const LightStats light = self->state->light->stats(*rig);
    return lockstep::structure_of(rig->stats(), &light);
  }
  GST_OBJECT_LOCK(self);
  const RigStats stats = self->state->last_stats;
  const LightStats light = self->state->last_light;
  GST_OBJECT_UNLOCK(self);
  return lockstep::structure_of(stats, &light);
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  auto* self = GST_LOCKSTEP_SRC(object);
  if (lockstep::is_light_property(id)) return self->state->light->get_property(id, value);
  if (id == lockstep::PROP_STATS) return g_value_take_boxed(value, stats_of(self).release());
  GST_OBJECT_LOCK(self);
  const lockstep::SrcSettings settings = self->state->settings;
  GST_OBJECT_UNLOCK(self);
  if (!lockstep::get_src_property(settings, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

// Called once for each g_object_set(), whatever it has set: all of it is one change of settings.
void dispatch_properties_changed(GObject* object, guint num, GParamSpec** specs) {
  auto* self = GST_LOCKSTEP_SRC(object);
  self->state->light->hand_over();
  G_OBJECT_CLASS(gst_lockstep_src_parent_class)->dispatch_properties_changed(object, num, specs);
}

guint num_children(GstChildProxy* proxy) {
  auto* self = GST_LOCKSTEP_SRC(proxy);
  GST_OBJECT_LOCK(self);
  const guint num = self->state->settings.effective_num_sensors();
  GST_OBJECT_UNLOCK(self);
  return num;
}

GObject* child_by_index(GstChildProxy* proxy, guint index) {
  if (index >= num_children(proxy)) return nullptr;
  return GST_LOCKSTEP_SRC(proxy)->state->light->child(std::size_t{index});
}

// Finds those too that are beyond the present number of sensors, which may be set later.
GObject* child_by_name(GstChildProxy* proxy, const gchar* name) {
  return GST_LOCKSTEP_SRC(proxy)->state->light->child(name);
}

std::string spec_of(GstLockstepSrc* self, std::size_t sensor) {
  GST_OBJECT_LOCK(self);
  const lockstep::SrcSettings settings = self->state->settings;
  GST_OBJECT_UNLOCK(self);
  auto config = settings.rig_config();
  return config && sensor < config->sensors.size() ? to_string(config->sensors[sensor]) : "";
}

void dispose(GObject* object) {
  GST_LOCKSTEP_SRC(object)->state->light->forget_children();
  G_OBJECT_CLASS(gst_lockstep_src_parent_class)->dispose(object);
}

void finalize(GObject* object) {
  delete GST_LOCKSTEP_SRC(object)->state;
  G_OBJECT_CLASS(gst_lockstep_src_parent_class)->finalize(object);
}

}  // namespace

static void implement_child_proxy(gpointer iface, gpointer) {
  auto* proxy = static_cast<GstChildProxyInterface*>(iface);
  proxy->get_children_count = num_children;
  proxy->get_child_by_index = child_by_index;
  proxy->get_child_by_name = child_by_name;
}

static guint light_signal = 0;

static void gst_lockstep_src_class_init(GstLockstepSrcClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  auto* base_class = GST_BASE_SRC_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->dispatch_properties_changed = dispatch_properties_changed;
  object_class->dispose = dispose;
  object_class->finalize = finalize;
  lockstep::install_src_properties(object_class);
  lockstep::install_light_properties(object_class);
  /**
   * GstLockstepSrc::light:
   * @source: the element
   * @report: a structure "lockstep-light", see the section on light
   *
   * What the light of a batch is, once for each batch with light-mode=application.
   *
   * Returns: (transfer full) (nullable): the settings to come
   */
  light_signal = lockstep::install_light_signal(G_TYPE_FROM_CLASS(klass));

  element_class->change_state = change_state;
  gst_element_class_set_static_metadata(
      element_class, "Lockstep source", "Source/Video",
      "Captures the frames of one instant from several cameras into one batch",
      "The Lockstep authors");
  static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
      "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(LOCKSTEP_BATCH_CAPS));
  gst_element_class_add_static_pad_template(element_class, &src_template);

  base_class->get_caps = get_caps;
  base_class->fixate = fixate;
  base_class->negotiate = negotiate;
  base_class->set_caps = set_caps;
  base_class->decide_allocation = decide_allocation;
  base_class->unlock = unlock;
  base_class->unlock_stop = unlock_stop;
  base_class->stop = stop;
  base_class->is_seekable = is_seekable;
  base_class->query = query;
  GST_PUSH_SRC_CLASS(klass)->create = create;
}

static void gst_lockstep_src_init(GstLockstepSrc* self) {
  self->state = new State;
  self->state->supply.emplace(GST_BASE_SRC(self));
  self->state->light.emplace(
      SourceLight::Source{GST_ELEMENT(self), light_signal,
                          [self](Nanoseconds captured) { return running_time(self, captured); },
                          [self](std::size_t sensor) { return spec_of(self, sensor); }});
  gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
  gst_base_src_set_live(GST_BASE_SRC(self), TRUE);
}
