// SPDX-License-Identifier: MIT
#include "pipeline.h"

#include <ctime>
#include <memory>

namespace lockstep::bench {
namespace {

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Unref {
  void operator()(gpointer object) const { gst_object_unref(object); }
};
using ElementPtr = std::unique_ptr<GstElement, Unref>;

// Read and written by the streaming thread until the pipeline has ended.
struct Progress {
  std::uint64_t skip = 0;
  std::uint64_t count = 0;
  double cpu_begin = 0;
  double cpu_last = 0;
};

GstPadProbeReturn count_buffer(GstPad*, GstPadProbeInfo*, gpointer data) {
  auto* progress = static_cast<Progress*>(data);
  const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  if (++progress->count == progress->skip) progress->cpu_begin = cpu;
  progress->cpu_last = cpu;
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn keep_buffer(GstPad*, GstPadProbeInfo* info, gpointer data) {
  GstMapInfo map;
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return GST_PAD_PROBE_OK;
  static_cast<std::string*>(data)->assign(reinterpret_cast<const char*>(map.data), map.size);
  gst_buffer_unmap(buffer, &map);
  return GST_PAD_PROBE_OK;
}

// Runs to EOS with `probe` before "end". Answers what went wrong, or nothing.
std::string run(const std::string& launch, GstPadProbeCallback probe, gpointer data,
                const std::function<void(GstElement*)>& at_end,
                const std::function<void(GstElement*)>& before) {
  GError* error = nullptr;
  ElementPtr pipeline(gst_parse_launch(launch.c_str(), &error));
  if (error) {
    std::string text = error->message;
    g_error_free(error);
    return text;
  }
  ElementPtr end(gst_bin_get_by_name(GST_BIN(pipeline.get()), "end"));
  std::unique_ptr<GstPad, Unref> pad(gst_element_get_static_pad(end.get(), "sink"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, probe, data, nullptr);
  if (before) before(pipeline.get());
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  std::unique_ptr<GstBus, Unref> bus(gst_element_get_bus(pipeline.get()));
  GstMessage* message =
      gst_bus_timed_pop_filtered(bus.get(), GST_CLOCK_TIME_NONE,
                                 static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  std::string failed;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, nullptr);
    failed = error->message;
    g_error_free(error);
  } else if (at_end) {
    at_end(pipeline.get());
  }
  gst_message_unref(message);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return failed;
}

}  // namespace

PipelineCost run_pipeline(const std::string& launch, std::uint64_t skip,
                          const std::function<void(GstElement*)>& at_end,
                          const std::function<void(GstElement*)>& before) {
  Progress progress;
  progress.skip = skip;
  PipelineCost cost;
  const double begin = seconds(CLOCK_MONOTONIC);
  cost.error = run(launch, count_buffer, &progress, at_end, before);
  cost.wall_seconds = seconds(CLOCK_MONOTONIC) - begin;
  cost.ok = cost.error.empty() && progress.count > skip;
  if (cost.ok)
    cost.cpu_seconds_per_buffer =
        (progress.cpu_last - progress.cpu_begin) / static_cast<double>(progress.count - skip);
  return cost;
}

double thread_cpu_seconds() { return seconds(CLOCK_THREAD_CPUTIME_ID); }

std::string last_buffer_of(const std::string& launch) {
  std::string bytes;
  run(launch, keep_buffer, &bytes, {}, {});
  return bytes;
}

}  // namespace lockstep::bench
