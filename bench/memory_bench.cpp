// SPDX-License-Identifier: MIT
// Whether anything grows: long runs through source, tiler and demux, and through the mux, with what the process holds
// read on the way.
#include <benchmark/benchmark.h>
#include <dirent.h>
#include <gst/gst.h>

#include <cstdio>
#include <string>

#include "pipeline.h"

namespace lockstep::bench {
namespace {

constexpr int kBatches = 100'000;

double resident_bytes() {
  long pages = 0;
  long resident = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return static_cast<double>(resident) * 4096;
}

double num_open_fds() {
  double count = 0;
  if (DIR* fds = opendir("/proc/self/fd")) {
    while (readdir(fds) != nullptr) ++count;
    closedir(fds);
  }
  return count;
}

GstPadProbeReturn note_begin(GstPad*, GstPadProbeInfo* info, gpointer data) {
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  if (GST_BUFFER_OFFSET(buffer) == kBatches / 10) *static_cast<double*>(data) = resident_bytes();
  return GST_PAD_PROBE_OK;
}

struct Growth {
  double begin = 0;
  double end = 0;
  double more_fds = 0;
  std::string error;
};

// Why the run was not as long as it was meant to be; empty where it was.
std::string too_short(GstElement* source) {
  GstStructure* stats = nullptr;
  g_object_get(source, "stats", &stats, nullptr);
  guint64 batches = 0;
  gst_structure_get_uint64(stats, "batches", &batches);
  gst_structure_free(stats);
  return batches >= kBatches ? "" : "only " + std::to_string(batches) + " batches";
}

// `begin` is read at the pad "src" of the element "src", which counts its batches in their offsets.
Growth growth_of(const std::string& line) {
  Growth growth;
  run_pipeline("videotestsrc num-buffers=2 ! fakesink name=end", 1);
  const double fds = num_open_fds();
  std::string error;
  const PipelineCost cost = run_pipeline(
      line, 1,
      [&](GstElement* pipeline) {
        growth.end = resident_bytes();
        GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "src");
        error = too_short(source);
        gst_object_unref(source);
      },
      [&](GstElement* pipeline) {
        GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "src");
        GstPad* pad = gst_element_get_static_pad(source, "src");
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, note_begin, &growth.begin, nullptr);
        gst_object_unref(pad);
        gst_object_unref(source);
      });
  growth.error = cost.error + error;
  growth.more_fds = num_open_fds() - fds;
  return growth;
}

std::string source_line() {
  return "lockstepsrc name=src sensors=\"sim?realtime=false&render=stamp&drop=0.001\" "
         "num-sensors=4 "
         "num-buffers=" +
         std::to_string(kBatches) +
         " ! video/x-raw(ANY),format=NV12,width=320,height=180 ! tee name=t "
         "t. ! queue ! lockstepdemux name=d d.src_0 ! fakesink sync=false "
         "t. ! queue ! locksteptiler width=320 height=180 ! fakesink name=end sync=false";
}

// All ways into a batch: two pads write into its slots and lose frames now and then, so that they get out of step, the
// others bring memory of their own, which is copied.
std::string mux_line() {
  std::string line =
      "lockstepmux name=src layout=contiguous ! locksteptiler width=320 height=180 ! "
      "fakesink name=end sync=false ";
  for (const char* source : {"slots=true lose-each=1000", "slots=true lose-each=700", "", ""})
    line += "lockstepframesource num-buffers=" + std::to_string(kBatches) +
            " caps=\"video/x-raw,format=NV12,width=320,height=180,framerate=30/1\" " + source +
            " ! src. ";
  return line;
}

// Each is measured once; each benchmark reports one figure of it.
const Growth& growth_of_source() {
  static const Growth measured = growth_of(source_line());
  return measured;
}

const Growth& growth_of_mux() {
  static const Growth measured = growth_of(mux_line());
  return measured;
}

void report(benchmark::State& state, const Growth& (*growth)(), double Growth::*figure) {
  for (auto _ : state) state.counters["value"] = growth().*figure;
  if (!growth().error.empty()) state.SkipWithError(growth().error.c_str());
}

BENCHMARK_CAPTURE(report, begin, growth_of_source, &Growth::begin)
    ->Name("memory/begin")
    ->Iterations(1);
BENCHMARK_CAPTURE(report, end, growth_of_source, &Growth::end)->Name("memory/end")->Iterations(1);
BENCHMARK_CAPTURE(report, fds, growth_of_source, &Growth::more_fds)
    ->Name("memory/fds")
    ->Iterations(1);
BENCHMARK_CAPTURE(report, mux_begin, growth_of_mux, &Growth::begin)
    ->Name("memory/mux/begin")
    ->Iterations(1);
BENCHMARK_CAPTURE(report, mux_end, growth_of_mux, &Growth::end)
    ->Name("memory/mux/end")
    ->Iterations(1);
BENCHMARK_CAPTURE(report, mux_fds, growth_of_mux, &Growth::more_fds)
    ->Name("memory/mux/fds")
    ->Iterations(1);

}  // namespace
}  // namespace lockstep::bench
