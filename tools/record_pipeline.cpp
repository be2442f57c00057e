// SPDX-License-Identifier: MIT
#include "record_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "encoder.h"

namespace lockstep::tools {
namespace {

constexpr const char* kOurs = "our own plugin; point GST_PLUGIN_PATH at the folder that holds it";
constexpr const char* kCore = "package libgstreamer1.0-0";
constexpr const char* kBase = "package gstreamer1.0-plugins-base";
constexpr const char* kGood = "package gstreamer1.0-plugins-good";
constexpr const char* kBad = "package gstreamer1.0-plugins-bad";
constexpr const char* kNvcodec =
    "package gstreamer1.0-plugins-bad, which has it on machines with an NVIDIA driver";

// Adds elements to a pipeline one behind the other. The first failure stays.
class Chain {
 public:
  explicit Chain(GstElement* pipeline) : pipeline_(pipeline) {}

  GstElement* add(const char* name, const char* where) {
    GstElement* element = failure_ ? nullptr : gst_element_factory_make(name, nullptr);
    if (!element) {
      if (failure_) return nullptr;
      return fail(
          {Errc::not_supported, 0,
           fmt::format("make element {}: GStreamer does not find it; it is in {}", name, where)});
    }
    return append(element);
  }

  GstElement* add(Result<Owned<GstElement>> element) {
    if (failure_) return nullptr;
    if (!element) return fail(std::move(element).error());
    return append(element->get());
  }

  // Lets only such caps through; a `caps` of null lets everything through.
  void filter(Owned<GstCaps> caps) {
    if (!caps) return;
    if (GstElement* element = add("capsfilter", kCore))
      g_object_set(element, "caps", caps.get(), nullptr);
  }

  const std::optional<Error>& failure() const { return failure_; }

 private:
  GstElement* append(GstElement* element) {
    gst_bin_add(GST_BIN(pipeline_), element);
    // By what elements take at all: what the opened source cannot do is its own to report.
    const bool linked = !last_ || gst_element_link_pads_full(last_, nullptr, element, nullptr,
                                                             GST_PAD_LINK_CHECK_TEMPLATE_CAPS);
    if (!linked)
      return fail({Errc::not_supported, 0,
                   fmt::format("link {} to {}", GST_OBJECT_NAME(last_), GST_OBJECT_NAME(element))});
    last_ = element;
    return element;
  }

  GstElement* fail(Error error) {
    failure_ = std::move(error);
    return nullptr;
  }

  GstElement* pipeline_;
  GstElement* last_ = nullptr;
  std::optional<Error> failure_;
};

guint64 nanoseconds(double milliseconds) {
  return static_cast<guint64>(std::llround(milliseconds * 1e6));
}

void set_text(GstElement* element, const char* property, const std::string& value) {
  if (!value.empty()) gst_util_set_object_arg(G_OBJECT(element), property, value.c_str());
}

void set_source(GstElement* source, const RecordOptions& options) {
  if (!options.capture.sensors.empty())
    g_object_set(source, "sensors", options.capture.sensors.c_str(), nullptr);
  if (options.capture.num_sensors)
    g_object_set(source, "num-sensors", *options.capture.num_sensors, nullptr);
  if (options.batches)
    g_object_set(source, "num-buffers", static_cast<gint>(*options.batches), nullptr);
  if (options.tolerance_ms)
    g_object_set(source, "sync-tolerance", nanoseconds(*options.tolerance_ms), nullptr);
  if (options.max_wait_ms)
    g_object_set(source, "max-wait", nanoseconds(*options.max_wait_ms), nullptr);
  if (options.max_batches) g_object_set(source, "max-batches", *options.max_batches, nullptr);
  set_text(source, "memory", options.capture.memory);
  set_text(source, "layout", options.capture.layout);
  set_text(source, "on-missing", options.on_missing);
}

void set_light(GstElement* source, const LightOptions& options) {
  const auto set_factor = [&](const char* property, const std::optional<double>& factor) {
    if (factor) g_object_set(source, property, *factor, nullptr);
  };
  const auto set_time = [&](const char* property, const std::optional<double>& milliseconds) {
    if (milliseconds) g_object_set(source, property, nanoseconds(*milliseconds), nullptr);
  };
  set_text(source, "light-mode", options.mode);
  set_text(source, "antiflicker", options.antiflicker);
  set_text(source, "metering", options.metering);
  set_factor("light-target", options.target);
  set_factor("max-gain", options.max_gain);
  set_time("max-exposure", options.max_exposure_ms);
  if (options.leader) g_object_set(source, "light-leader", *options.leader, nullptr);
  if (options.no_white_balance) g_object_set(source, "white-balance", FALSE, nullptr);
  if (options.align) g_object_set(source, "align-exposures", TRUE, nullptr);
  if (!options.log.empty()) g_object_set(source, "always-meter", TRUE, nullptr);
  set_time("exposure-time", options.exposure_ms);
  set_factor("analogue-gain", options.analogue_gain);
  set_factor("digital-gain", options.digital_gain);
  set_factor("red-gain", options.red_gain);
  set_factor("blue-gain", options.blue_gain);
}

// What the sensors are to be set to, whatever memory the batches are in; null: anything.
Owned<GstCaps> sensor_caps(const CaptureOptions& options) {
  GstCaps* caps = gst_caps_new_empty_simple("video/x-raw");
  if (!options.pixel_format.empty())
    gst_caps_set_simple(caps, "format", G_TYPE_STRING, options.pixel_format.c_str(), nullptr);
  if (options.sensor_width)
    gst_caps_set_simple(caps, "width", G_TYPE_INT, static_cast<gint>(*options.sensor_width),
                        "height", G_TYPE_INT, static_cast<gint>(*options.sensor_height), nullptr);
  if (options.framerate)
    gst_caps_set_simple(caps, "framerate", GST_TYPE_FRACTION,
                        static_cast<gint>(options.framerate->numerator),
                        static_cast<gint>(options.framerate->denominator), nullptr);
  const bool anything = gst_structure_n_fields(gst_caps_get_structure(caps, 0)) == 0;
  gst_caps_set_features(caps, 0, gst_caps_features_new_any());
  Owned<GstCaps> owned(caps);
  return anything ? nullptr : std::move(owned);
}

// Whether the source will deliver frames in the memory of a GPU, which it knows once it has opened its sensors. Where it
// cannot open them it says so again when the pipeline starts.
bool delivers_on_gpu(GstElement* source) {
  gst_element_set_state(source, GST_STATE_READY);
  const Owned<GstPad> pad(gst_element_get_static_pad(source, "src"));
  const Owned<GstCaps> caps(gst_pad_query_caps(pad.get(), nullptr));
  return gst_caps_get_size(caps.get()) > 0 &&
         gst_caps_features_contains(gst_caps_get_features(caps.get(), 0), "memory:CUDAMemory");
}

// A tile for each sensor, if not more are asked for. Names that cannot be read are the source's to refuse.
std::size_t num_tiles(const RecordOptions& options) {
  const auto sensors = wanted_sensors(options.capture);
  return std::max(std::size_t{options.rows} * options.columns, sensors ? sensors->size() : 1);
}

}  // namespace

Result<RecordPipeline> build_record_pipeline(const RecordOptions& options) {
  auto encoder = find_encoder(options.encoder);
  if (!encoder) return encoder.error();

  RecordPipeline built{.pipeline = PipelinePtr(gst_pipeline_new("record"))};
  Chain chain(built.pipeline.get());
  built.source = chain.add("lockstepsrc", kOurs);
  if (built.source) {
    set_source(built.source, options);
    set_light(built.source, options.light);
  }
  chain.filter(sensor_caps(options.capture));
  chain.add("queue", kCore);
  if (GstElement* tiler = chain.add("locksteptiler", kOurs))
    g_object_set(tiler, "width", options.width, "height", options.height, "rows", options.rows,
                 "columns", options.columns, nullptr);
  if (built.source && delivers_on_gpu(built.source)) chain.add("cudadownload", kNvcodec);
  chain.add("videoconvert", kBase);
  chain.filter(Owned<GstCaps>(gst_caps_from_string("video/x-raw,format=(string){I420,NV12}")));
  chain.add(make_encoder(**encoder,
                         options.bitrate_kbit.value_or(default_bitrate_kbit(num_tiles(options))),
                         options.preset));
  built.parser = chain.add((*encoder)->parser, kBad);
  chain.add("matroskamux", kGood);
  built.sink = chain.add("filesink", kCore);
  if (chain.failure()) return *chain.failure();
  g_object_set(built.sink, "location", options.file.c_str(), nullptr);
  return built;
}

}  // namespace lockstep::tools
