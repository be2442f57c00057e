// SPDX-License-Identifier: MIT

/**
 * SECTION:element-locksteptiler
 * @title: locksteptiler
 * @short_description: Shows a batch as a mosaic
 *
 * Scales each slot of a batch into its tile, in one pass. Slots go row by row from the upper left.
 * The tiles cover the whole picture and meet at even pixels. The pixel format stays as it is, and so
 * do colorimetry and pixel aspect ratio, unless downstream demands others. Frames of another
 * colorimetry than the mosaic's, be it the first slot's or what downstream demands, are converted: by
 * matrix and range. Where primaries or transfer function differ a warning says so. Where pixel
 * aspect ratios differ the mosaic has square pixels, and frames with the narrower ones have black
 * bars beside them.
 *
 * A missing slot goes on showing its last frame, or black before there was one, and is marked by
 * red bars along its right and lower edge and a red square in its upper right corner. A repeated
 * frame has an amber square there.
 *
 * Batches in GPU memory (memory:CUDAMemory) are drawn by the GPU, into GPU memory; bilinear, where the
 * CPU averages, and as they are: frames that differ in matrix or range are refused. Put cudadownload
 * behind it where the CPU is to read the mosaic.
 *
 * The mosaic has the times and metas of the batch. It also has a #GstLockstepBatchMeta that tells
 * all about each slot, without the frames themselves: these go back to their sensors at once.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 lockstepsrc ! locksteptiler ! videoconvert ! autovideosink
 * ]|
 * Four simulated sensors, two by two.
 * |[
 * gst-launch-1.0 lockstepsrc num-sensors=3 num-buffers=30 ! locksteptiler rows=1 width=1920 !
 * videoconvert ! pngenc snapshot=true ! filesink location=row.png
 * ]|
 * Three sensors side by side, as a picture.
 */
#include "gstlocksteptiler.h"

#include <gst/video/gstvideometa.h>
#include <gst/video/gstvideopool.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gstlockstepcaps.h"
#include "gstlockstepcolour.h"
#include "gstlockstepcudamosaic.h"
#include "gstlockstepdescription.h"
#include "gstlocksteperror.h"
#include "gstlockstepgpu.h"
#include "gstlockstephandles.h"
#include "gstlockstepmosaic.h"
#include "gstlockstepranges.h"

GST_DEBUG_CATEGORY_STATIC(lockstep_tiler_debug);
#define GST_CAT_DEFAULT lockstep_tiler_debug

namespace {

using lockstep::BatchInfo;
using lockstep::FrameMemory;
using lockstep::MosaicSettings;
using lockstep::Result;

enum Property { kRows = 1, kColumns, kWidth, kHeight, kShowSlot };

constexpr guint kMaxTiles = 256;

struct State {
  MosaicSettings settings;            // Object lock: any thread.
  MosaicSettings applied;             // Streaming thread, as all below.
  std::optional<BatchInfo> batch;     // Of the sink caps.
  GstVideoInfo mosaic{};              // Of the source caps.
  std::vector<std::string> warnings;  // That were posted for this layout.
  lockstep::MosaicPainter painter;
  lockstep::CudaMosaicPainter gpu_painter;  // Of batches in GPU memory.
};

#ifdef LOCKSTEP_HAVE_CUDA
#define LOCKSTEP_TILER_CUDA_SINK_CAPS                                                            \
  "; video/x-raw(" LOCKSTEP_CAPS_FEATURE_CUDA ", " GST_CAPS_FEATURE_META_GST_LOCKSTEP_BATCH_META \
  "), " LOCKSTEP_CUDA_MOSAIC_FIELDS ", batch-size = (int) [ 1, max ]"
#define LOCKSTEP_TILER_CUDA_SRC_CAPS \
  "; video/x-raw(" LOCKSTEP_CAPS_FEATURE_CUDA "), " LOCKSTEP_CUDA_MOSAIC_FIELDS
#else
#define LOCKSTEP_TILER_CUDA_SINK_CAPS
#define LOCKSTEP_TILER_CUDA_SRC_CAPS
#endif

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(LOCKSTEP_HOST_BATCH_CAPS LOCKSTEP_TILER_CUDA_SINK_CAPS));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS("video/x-raw, " LOCKSTEP_VIDEO_FIELDS LOCKSTEP_TILER_CUDA_SRC_CAPS));

}  // namespace

struct _GstLockstepTiler {
  GstBaseTransform parent;
  State* state;
};

G_DEFINE_TYPE(GstLockstepTiler, gst_lockstep_tiler, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(locksteptiler, "locksteptiler", GST_RANK_NONE, GST_TYPE_LOCKSTEP_TILER)

namespace {

State& state_of(gpointer tiler) { return *GST_LOCKSTEP_TILER(tiler)->state; }

GstBaseTransformClass* parent_class() {
  return GST_BASE_TRANSFORM_CLASS(gst_lockstep_tiler_parent_class);
}

MosaicSettings settings_of(gpointer tiler) {
  GST_OBJECT_LOCK(tiler);
  const MosaicSettings settings = state_of(tiler).settings;
  GST_OBJECT_UNLOCK(tiler);
  return settings;
}

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  MosaicSettings& settings = state_of(object).settings;
  GST_OBJECT_LOCK(object);
  switch (id) {
    case kRows:
      settings.rows = g_value_get_uint(value);
      break;
    case kColumns:
      settings.columns = g_value_get_uint(value);
      break;
    case kWidth:
      settings.width = g_value_get_uint(value);
      break;
    case kHeight:
      settings.height = g_value_get_uint(value);
      break;
    case kShowSlot:
      settings.show_slot = g_value_get_int(value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(object);
  // The size that is left to us may have changed.
  if (id != kShowSlot) gst_base_transform_reconfigure_src(GST_BASE_TRANSFORM(object));
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  const MosaicSettings settings = settings_of(object);
  switch (id) {
    case kRows:
      g_value_set_uint(value, settings.rows);
      break;
    case kColumns:
      g_value_set_uint(value, settings.columns);
      break;
    case kWidth:
      g_value_set_uint(value, settings.width);
      break;
    case kHeight:
      g_value_set_uint(value, settings.height);
      break;
    case kShowSlot:
      g_value_set_int(value, settings.show_slot);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

// Those of some caps that are in GPU memory, or those that are not; features that may be any count as both.
lockstep::CapsPtr part_of(const GstCaps* caps, bool on_gpu) {
  if (gst_caps_is_any(caps)) return lockstep::CapsPtr(gst_caps_new_any());
  lockstep::CapsPtr part(gst_caps_new_empty());
  for (guint i = 0; i < gst_caps_get_size(caps); i++) {
    const GstCapsFeatures* features = gst_caps_get_features(caps, i);
    const bool is_on_gpu = lockstep::frame_memory(features) == FrameMemory::cuda;
    if (is_on_gpu == on_gpu || gst_caps_features_is_any(features))
      gst_caps_append(part.get(), gst_caps_copy_nth(caps, i));
  }
  return part;
}

// The same at any size and of any colorimetry, batches or not.
lockstep::CapsPtr with_any_features(lockstep::CapsPtr caps) {
  for (guint i = 0; i < gst_caps_get_size(caps.get()); i++) {
    GstStructure* structure = gst_caps_get_structure(caps.get(), i);
    gst_structure_remove_fields(structure, "batch-size", "streams", "width", "height",
                                "pixel-aspect-ratio", "colorimetry", "chroma-site", nullptr);
    gst_caps_set_features(caps.get(), i, gst_caps_features_new_any());
  }
  return caps;
}

// What the other side may be: the same format at any size, a batch on one side and plain video on the other, in GPU memory
// if the one is, else in system memory.
GstCaps* transform_caps(GstBaseTransform* base, GstPadDirection direction, GstCaps* caps,
                        GstCaps* filter) {
  GstPad* other = direction == GST_PAD_SINK ? base->srcpad : base->sinkpad;
  lockstep::CapsPtr templates(gst_pad_get_pad_template_caps(other));
  GstCaps* result = gst_caps_new_empty();
  for (const bool on_gpu : {false, true}) {
    const lockstep::CapsPtr from = with_any_features(part_of(caps, on_gpu));
    const lockstep::CapsPtr to = part_of(templates.get(), on_gpu);
    gst_caps_append(result,
                    gst_caps_intersect_full(to.get(), from.get(), GST_CAPS_INTERSECT_FIRST));
  }
  if (filter) {
    lockstep::CapsPtr all(result);
    result = gst_caps_intersect_full(filter, all.get(), GST_CAPS_INTERSECT_FIRST);
  }
  return result;
}

// Takes over from the frames how colours are meant, and how wide pixels are, where downstream leaves it open. It is always
// said: what GStreamer takes for granted would be another thing at another height.
void fixate_picture(GstStructure* structure, const GstVideoInfo& natural) {
  const std::string colorimetry = lockstep::to_string(natural.colorimetry);
  if (!gst_structure_has_field(structure, "colorimetry"))
    gst_structure_set(structure, "colorimetry", G_TYPE_STRING, colorimetry.c_str(), nullptr);
  gst_structure_fixate_field_string(structure, "colorimetry", colorimetry.c_str());
  const gint par_n = GST_VIDEO_INFO_PAR_N(&natural);
  const gint par_d = GST_VIDEO_INFO_PAR_D(&natural);
  if (!gst_structure_has_field(structure, "pixel-aspect-ratio"))
    gst_structure_set(structure, "pixel-aspect-ratio", GST_TYPE_FRACTION, par_n, par_d, nullptr);
  gst_structure_fixate_field_nearest_fraction(structure, "pixel-aspect-ratio", par_n, par_d);
  const GstVideoChromaSite site = GST_VIDEO_INFO_CHROMA_SITE(&natural);
  if (site == GST_VIDEO_CHROMA_SITE_UNKNOWN || gst_structure_has_field(structure, "chroma-site"))
    return;
  const lockstep::CharsPtr name(gst_video_chroma_site_to_string(site));
  if (name) gst_structure_set(structure, "chroma-site", G_TYPE_STRING, name.get(), nullptr);
}

double pixel_aspect_in(const GstStructure* structure) {
  gint numerator = 1;
  gint denominator = 1;
  gst_structure_get_fraction(structure, "pixel-aspect-ratio", &numerator, &denominator);
  return double(numerator) / denominator;
}

// Chooses the size, and what else downstream leaves open.
GstCaps* fixate_caps(GstBaseTransform* base, GstPadDirection direction, GstCaps* caps,
                     GstCaps* other) {
  other = gst_caps_make_writable(gst_caps_truncate(other));
  const auto batch = direction == GST_PAD_SINK ? lockstep::parse_batch_caps(caps) : std::nullopt;
  if (!batch) return gst_caps_fixate(other);

  MosaicSettings settings = settings_of(base);
  GstStructure* structure = gst_caps_get_structure(other, 0);
  fixate_picture(structure, lockstep::natural_info(*batch));
  const double pixel_aspect = pixel_aspect_in(structure);
  if (gint width = 0; gst_structure_get_int(structure, "width", &width))
    settings.width = static_cast<guint>(width);
  if (gint height = 0; gst_structure_get_int(structure, "height", &height))
    settings.height = static_cast<guint>(height);
  // Where the settings cannot be met any size will do: set_caps() tells why.
  auto size = lockstep::mosaic_size(*batch, settings, pixel_aspect);
  if (!size) return gst_caps_fixate(other);
  gst_structure_fixate_field_nearest_int(structure, "width", size->width);
  if (settings.height == 0) {
    gst_structure_get_int(structure, "width", &size->width);
    settings.width = static_cast<guint>(size->width);
    size = lockstep::mosaic_size(*batch, settings, pixel_aspect);
  }
  gst_structure_fixate_field_nearest_int(structure, "height", size->height);
  return gst_caps_fixate(other);
}

bool on_gpu(const State& state) { return state.batch->memory == FrameMemory::cuda; }

// Posts the warnings that were not posted for the layout before.
void warn(GstBaseTransform* base, const std::vector<std::string>& warnings) {
  std::vector<std::string> before = std::exchange(state_of(base).warnings, warnings);
  for (const std::string& text : warnings)
    if (std::find(before.begin(), before.end(), text) == before.end())
      lockstep::post_warning(GST_ELEMENT(base), {lockstep::Errc::not_supported, 0, text});
}

bool configure(GstBaseTransform* base) {
  State& state = state_of(base);
  state.applied = settings_of(base);
  auto plan = lockstep::plan_mosaic(*state.batch, state.mosaic, state.applied);
  Result<void> configured = plan ? Result<void>() : plan.error();
  if (plan) warn(base, plan->warnings);
  if (plan && on_gpu(state)) {
    configured = state.gpu_painter.configure(base->sinkpad, *state.batch, state.mosaic, *plan);
  } else if (plan) {
    state.painter.configure(*state.batch, state.mosaic, *std::move(plan));
  }
  if (!configured) lockstep::post_error(GST_ELEMENT(base), configured.error());
  return static_cast<bool>(configured);
}

gboolean set_caps(GstBaseTransform* base, GstCaps* sink_caps, GstCaps* src_caps) {
  State& state = state_of(base);
  state.batch = lockstep::parse_batch_caps(sink_caps);
  if (!state.batch || !gst_video_info_from_caps(&state.mosaic, src_caps)) return FALSE;
  GST_INFO_OBJECT(base, "draws %" GST_PTR_FORMAT " as %" GST_PTR_FORMAT, sink_caps, src_caps);
  return configure(base);
}

gboolean propose_allocation(GstBaseTransform* base, GstQuery* decided, GstQuery* query) {
  if (!parent_class()->propose_allocation(base, decided, query)) return FALSE;
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  lockstep::offer_planes(query);
  return TRUE;
}

// Takes the pool that downstream offers, or makes one; one buffer more than downstream needs, for
// the painter keeps one.
gboolean decide_allocation(GstBaseTransform* base, GstQuery* query) {
  GstCaps* caps = nullptr;
  GstBufferPool* offered = nullptr;
  guint size = 0;
  guint min = 0;
  guint max = 0;
  gst_query_parse_allocation(query, &caps, nullptr);
  const bool has_pool = gst_query_get_n_allocation_pools(query) > 0;
  if (has_pool) gst_query_parse_nth_allocation_pool(query, 0, &offered, &size, &min, &max);
  // A pool that cannot grow would starve the element that made it.
  if (offered && max != 0) gst_clear_object(&offered);
  State& state = state_of(base);
  lockstep::PoolPtr pool = on_gpu(state)
                               ? state.gpu_painter.choose_pool(offered)
                               : lockstep::PoolPtr(offered ? offered : gst_video_buffer_pool_new());
  size = std::max(size, static_cast<guint>(GST_VIDEO_INFO_SIZE(&state.mosaic)));
  min += 1;

  GstStructure* config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_set_params(config, caps, size, min, 0);
  if (gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr))
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  if (on_gpu(state)) {
    state.gpu_painter.configure_pool(config);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  }
  gst_buffer_pool_set_config(pool.get(), config);
  if (on_gpu(state)) {
    // Rows in GPU memory are longer than in GStreamer's usual layout; the pool knows by how much.
    config = gst_buffer_pool_get_config(pool.get());
    gst_buffer_pool_config_get_params(config, nullptr, &size, nullptr, nullptr);
    gst_structure_free(config);
  }
  if (has_pool) {
    gst_query_set_nth_allocation_pool(query, 0, pool.get(), size, min, 0);
  } else {
    gst_query_add_allocation_pool(query, pool.get(), size, min, 0);
  }
  return parent_class()->decide_allocation(base, query);
}

// Metas about the batch hold for the mosaic as well; of the batch meta itself transform() keeps the description.
gboolean transform_meta(GstBaseTransform* base, GstBuffer* out, GstMeta* meta, GstBuffer* in) {
  if (meta->info->api == GST_LOCKSTEP_BATCH_META_API_TYPE) return FALSE;
  return parent_class()->transform_meta(base, out, meta, in);
}

GstFlowReturn transform(GstBaseTransform* base, GstBuffer* in, GstBuffer* out) {
  State& state = state_of(base);
  const GstLockstepBatchMeta* batch = gst_buffer_get_lockstep_batch_meta(in);
  if (!batch) {
    lockstep::post_error(GST_ELEMENT(base), {lockstep::Errc::invalid_argument, 0,
                                             "draw a buffer that carries no GstLockstepBatchMeta"});
    return GST_FLOW_ERROR;
  }
  if (settings_of(base) != state.applied && !configure(base)) return GST_FLOW_ERROR;
  lockstep::copy_description(*batch, 0, batch->n_frames, out);
  auto painted =
      on_gpu(state) ? state.gpu_painter.paint(*batch, out) : state.painter.paint(*batch, out);
  if (!painted) {
    lockstep::post_error(GST_ELEMENT(base), painted.error());
    return GST_FLOW_ERROR;
  }
  GST_LOG_OBJECT(base, "drew batch %" G_GUINT64_FORMAT, batch->batch_number);
  return GST_FLOW_OK;
}

// Has control sources set the properties of this moment.
void before_transform(GstBaseTransform* base, GstBuffer* buffer) {
  const GstClockTime time =
      gst_segment_to_stream_time(&base->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (GST_CLOCK_TIME_IS_VALID(time)) gst_object_sync_values(GST_OBJECT(base), time);
}

gboolean stop(GstBaseTransform* base) {
  state_of(base).painter.forget();
  state_of(base).warnings.clear();
  state_of(base).gpu_painter.forget();
  return TRUE;
}

// The GPU's context that is to be shared: the one that is known beyond, or ours.
gboolean query(GstBaseTransform* base, GstPadDirection direction, GstQuery* query) {
  return parent_class()->query(base, direction, query) ||
         lockstep::answer_cuda_query(GST_ELEMENT(base), query, 0);
}

void finalize(GObject* object) {
  delete GST_LOCKSTEP_TILER(object)->state;
  G_OBJECT_CLASS(gst_lockstep_tiler_parent_class)->finalize(object);
}

GParamFlags playing_flags() {
  return static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                  GST_PARAM_MUTABLE_PLAYING);
}

void install_uint(GObjectClass* klass, Property id, const char* name, const char* nick,
                  const char* blurb, guint max) {
  g_object_class_install_property(klass, id,
                                  g_param_spec_uint(name, nick, blurb, 0, max, 0, playing_flags()));
}

void install_properties(GObjectClass* klass) {
  install_uint(klass, kRows, "rows", "Rows",
               "Rows of tiles (0 = as many as the columns leave, or as square as possible)",
               kMaxTiles);
  install_uint(klass, kColumns, "columns", "Columns",
               "Columns of tiles (0 = as many as the rows leave, or as square as possible)",
               kMaxTiles);
  install_uint(
      klass, kWidth, "width", "Width",
      "Width of the mosaic in pixels, at least 2 for each column, unless downstream demands "
      "another (0 = the frames side by side, shrunk to fit 1920x1080)",
      lockstep::kMaxSide);
  install_uint(klass, kHeight, "height", "Height",
               "Height of the mosaic in pixels, at least 2 for each row, unless downstream demands "
               "another (0 = the frames side by side, shrunk to fit 1920x1080)",
               lockstep::kMaxSide);
  g_object_class_install_property(
      klass, kShowSlot,
      g_param_spec_int("show-slot", "Show slot",
                       "The one slot to show in the whole picture (-1 = all slots as tiles; one "
                       "that the batch does not have = all, with a warning)",
                       -1, kMaxTiles - 1, -1,
                       static_cast<GParamFlags>(playing_flags() | GST_PARAM_CONTROLLABLE)));
}

}  // namespace

static void gst_lockstep_tiler_init(GstLockstepTiler* tiler) {
  tiler->state = new State;
  gst_base_transform_set_qos_enabled(GST_BASE_TRANSFORM(tiler), TRUE);
}

static void gst_lockstep_tiler_class_init(GstLockstepTilerClass* klass) {
  GST_DEBUG_CATEGORY_INIT(lockstep_tiler_debug, "locksteptiler", 0, "mosaic of a batch");
  auto* object = G_OBJECT_CLASS(klass);
  object->set_property = set_property;
  object->get_property = get_property;
  object->finalize = finalize;
  install_properties(object);

  auto* element = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(element, "Lockstep tiler", "Filter/Converter/Video/Scaler",
                                        "Shows a batch as a mosaic", "The Lockstep authors");

  auto* base = GST_BASE_TRANSFORM_CLASS(klass);
  base->transform_caps = transform_caps;
  base->fixate_caps = fixate_caps;
  base->set_caps = set_caps;
  base->propose_allocation = propose_allocation;
  base->decide_allocation = decide_allocation;
  base->transform_meta = transform_meta;
  base->before_transform = before_transform;
  base->query = query;
  base->transform = transform;
  base->stop = stop;
}
