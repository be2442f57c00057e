// SPDX-License-Identifier: MIT
// Whether anything grows: a long run through tiler and demux, with what the process holds read on the way.
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

// Measured once; each benchmark reports one figure of it.
const Growth& growth() {
  static const Growth measured = [] {
    Growth growth;
    run_pipeline("videotestsrc num-buffers=2 ! fakesink name=end", 1);
    const double fds = num_open_fds();
    const std::string line =
        "lockstepsrc name=src sensors=\"sim?realtime=false&render=stamp&drop=0.001\" num-sensors=4 "
        "num-buffers=" +
        std::to_string(kBatches) +
        " ! video/x-raw(ANY),format=NV12,width=320,height=180 ! tee name=t "
        "t. ! queue ! lockstepdemux name=d d.src_0 ! fakesink sync=false "
        "t. ! queue ! locksteptiler width=320 height=180 ! fakesink name=end sync=false";
    const PipelineCost cost = run_pipeline(
        line, 1, [&](GstElement*) { growth.end = resident_bytes(); },
        [&](GstElement* pipeline) {
          GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "src");
          GstPad* pad = gst_element_get_static_pad(source, "src");
          gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, note_begin, &growth.begin, nullptr);
          gst_object_unref(pad);
          gst_object_unref(source);
        });
    growth.error = cost.error;
    growth.more_fds = num_open_fds() - fds;
    return growth;
  }();
  return measured;
}

void report(benchmark::State& state, double Growth::*figure) {
  for (auto _ : state) state.counters["value"] = growth().*figure;
  if (!growth().error.empty()) state.SkipWithError(growth().error.c_str());
}

BENCHMARK_CAPTURE(report, begin, &Growth::begin)->Name("memory/begin")->Iterations(1);
BENCHMARK_CAPTURE(report, end, &Growth::end)->Name("memory/end")->Iterations(1);
BENCHMARK_CAPTURE(report, fds, &Growth::more_fds)->Name("memory/fds")->Iterations(1);

}  // namespace
}  // namespace lockstep::bench
