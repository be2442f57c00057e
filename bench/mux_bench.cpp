// SPDX-License-Identifier: MIT
// What lockstepmux costs, as a ratio to one memcpy of the batch's bytes.
//
// The sources of frame_source.h bring their frames as fast as the mux takes them, each in a thread of its own. What they
// cost by themselves is taken off: the same sources, with no mux and with nothing behind them, by the CPU time of their
// threads (they do not run in step then, so that the process' time says nothing of a batch). They take no slots there:
// all that a slot costs, its stamping too, counts as the mux's, and so do the one sink at the end and the waits of
// threads for each other.
//
// Frames of 1080p come from, and the memcpy reads and writes, more batches in turn than any cache holds.
//
// Each repetition runs the memcpy, the sources and the mux one after another and makes a ratio of the three; the median
// of the repetitions is reported. So noise that lasts longer than a repetition cancels, and what is shorter falls out.
#include <benchmark/benchmark.h>
#include <gst/gst.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "copies.h"
#include "frame_source.h"
#include "one_core.h"
#include "pipeline.h"
#include "repetitions.h"

namespace lockstep::bench {
namespace {

constexpr int kRepetitions = 7;
constexpr int kShortRepetitions = 21;
constexpr const char* kEnd = " ! fakesink name=end sync=false ";

// How frames come into a batch.
enum class Path {
  by_reference,  // Upstream brings its own memory.
  in_slot,       // Upstream writes into the slots that it is offered.
  one_copy,      // By reference, into batches that must be one block.
};

struct Job {
  int num_pads = 4;
  int num_batches = 0;
  int width = 1920;
  int height = 1080;

  std::uint64_t skip() const { return static_cast<std::uint64_t>(num_batches) / 10; }
};

std::string source(const Job& job, int pad, const std::string& more = "") {
  const bool small = job.width < 1920;
  const auto num_frames = static_cast<std::size_t>(job.num_pads);
  return "lockstepframesource name=src" + std::to_string(pad) +
         " num-buffers=" + std::to_string(job.num_batches) +
         " caps=\"video/x-raw,format=NV12,framerate=30/1,width=" + std::to_string(job.width) +
         ",height=" + std::to_string(job.height) +
         "\" num-prepared=" + std::to_string(small ? 1 : batches_beyond_cache(num_frames)) + " " +
         more + " ! ";
}

// All sources, each into a pad of the element "m".
std::string sources_into(const Job& job, const std::string& element, const std::string& more = "") {
  std::string line = element;
  for (int pad = 0; pad < job.num_pads; ++pad)
    line += source(job, pad, more) + "m.sink_" + std::to_string(pad) + " ";
  return line;
}

std::string mux_line(const Job& job, Path path, const std::string& after = "",
                     const std::string& more = "") {
  const std::string layout = path == Path::one_copy ? " layout=contiguous" : "";
  return sources_into(job, "lockstepmux name=m" + layout + after + kEnd,
                      path == Path::in_slot ? "slots=true " + more : more);
}

// Of the mux at the end of a run.
struct MuxStats {
  guint64 batches = 0;
  guint64 by_reference = 0;
  guint64 copies = 0;
  guint64 latency_p50 = 0;
  guint64 latency_p99 = 0;

  static MuxStats of(GstElement* pipeline) {
    MuxStats stats;
    GstElement* mux = gst_bin_get_by_name(GST_BIN(pipeline), "m");
    GstStructure* structure = nullptr;
    g_object_get(mux, "stats", &structure, nullptr);
    gst_structure_get(structure, "batches", G_TYPE_UINT64, &stats.batches, "by-reference",
                      G_TYPE_UINT64, &stats.by_reference, "copies", G_TYPE_UINT64, &stats.copies,
                      "latency-p50", G_TYPE_UINT64, &stats.latency_p50, "latency-p99",
                      G_TYPE_UINT64, &stats.latency_p99, nullptr);
    gst_structure_free(structure);
    gst_object_unref(mux);
    return stats;
  }
};

// Why the run was not what it is measured as; empty where it was. Frames that found no slot in time are few.
std::string unlike(const MuxStats& stats, const Job& job, Path path) {
  const double batches = static_cast<double>(stats.batches);
  const double by_reference = static_cast<double>(stats.by_reference) / batches;
  const double copied = static_cast<double>(stats.copies) / (batches * job.num_pads);
  const bool as_meant = stats.batches == static_cast<guint64>(job.num_batches) &&
                        by_reference >= (path == Path::by_reference ? 1 : 0) &&
                        by_reference <= (path == Path::by_reference ? 1 : 0.05) &&
                        copied >= (path == Path::one_copy ? 1 : 0) &&
                        copied <= (path == Path::one_copy ? 1 : 0);
  if (as_meant) return {};
  return std::to_string(stats.batches) + " batches, " + std::to_string(by_reference) +
         " of them by reference, " + std::to_string(copied) + " of their frames copied";
}

struct Cost {
  double seconds = 0;  // CPU time of one batch.
  std::string error;
};

GstPadProbeReturn drop(GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; }

// The sources, and nothing behind them: what they push is dropped at their own pads.
Cost sources_alone(const Job& job) {
  std::string line;
  for (int pad = 0; pad < job.num_pads; ++pad)
    line += source(job, pad) + "fakesink sync=false async=false " + (pad == 0 ? "name=end " : "");
  Cost cost;
  const auto each = [&job](GstElement* pipeline, const std::function<void(GstElement*)>& visit) {
    for (int pad = 0; pad < job.num_pads; ++pad) {
      const std::string name = "src" + std::to_string(pad);
      GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), name.c_str());
      visit(element);
      gst_object_unref(element);
    }
  };
  const auto add_cost = [&cost](GstElement* element) {
    cost.seconds += cpu_seconds_per_frame(element);
  };
  const auto stop_frames = [](GstElement* element) {
    GstPad* pad = gst_element_get_static_pad(element, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, drop, nullptr, nullptr);
    gst_object_unref(pad);
  };
  cost.error = run_pipeline(
                   line, 0, [&](GstElement* pipeline) { each(pipeline, add_cost); },
                   [&](GstElement* pipeline) { each(pipeline, stop_frames); })
                   .error;
  return cost;
}

Cost cost_of(const Job& job, const std::string& line,
             const std::function<std::string(GstElement*)>& check = {}) {
  Cost cost;
  const PipelineCost measured = run_pipeline(line, job.skip(), [&](GstElement* pipeline) {
    if (check) cost.error = check(pipeline);
  });
  cost.seconds = measured.cpu_seconds_per_buffer;
  if (!measured.ok) cost.error = measured.error;
  return cost;
}

Cost cost_of_mux(const Job& job, Path path) {
  return cost_of(job, mux_line(job, path),
                 [&](GstElement* pipeline) { return unlike(MuxStats::of(pipeline), job, path); });
}

// Copies of so many frames that take about 50 ms.
int num_copies(int num_frames) { return std::max(4, 128 / num_frames); }

Copies uncached_copies(int num_pads) {
  const auto num_frames = static_cast<std::size_t>(num_pads);
  const std::size_t num_batches = batches_beyond_cache(num_frames);
  return Copies(num_frames, num_batches, num_batches);
}

// Of the memcpy, less the sources.
void ratio_of(benchmark::State& state, const Job& job, const std::function<Cost()>& work) {
  Copies copies = uncached_copies(job.num_pads);
  repeat(state, [&] {
    const double memcpy_seconds = seconds_of(num_copies(job.num_pads), [&] { copies.once(); });
    const Cost alone = sources_alone(job);
    const Cost with = work();
    const double seconds = with.seconds - alone.seconds;
    return Repetition{seconds, seconds / memcpy_seconds, alone.error + with.error};
  });
}

void two_copies(benchmark::State& state, int num_pads) {
  Copies copies = uncached_copies(num_pads);
  repeat(state, [&] {
    const double once = seconds_of(num_copies(num_pads), [&] { copies.once(); });
    const double twice = seconds_of(num_copies(num_pads), [&] { copies.twice(); });
    return Repetition{twice, twice / once, {}};
  });
}

// --- Beside the compositor ---

// Frames halved or quartered, side by side: grids in which both elements fill every tile.
struct Grid {
  explicit Grid(int num_pads) : columns(num_pads > 4 ? 4 : 2), rows(num_pads / columns) {
    tile_width = 1920 / columns;
    tile_height = 1080 / columns;
  }
  int columns;
  int rows;
  int tile_width;
  int tile_height;

  std::string size() const {
    return "width=" + std::to_string(columns * tile_width) +
           (",height=" + std::to_string(rows * tile_height));
  }
};

std::string tiler_line(const Job& job) {
  const Grid grid(job.num_pads);
  return mux_line(job, Path::by_reference,
                  " ! locksteptiler rows=" + std::to_string(grid.rows) + " columns=" +
                      std::to_string(grid.columns) + " ! video/x-raw,format=NV12," + grid.size());
}

std::string compositor_line(const Job& job) {
  const Grid grid(job.num_pads);
  std::string element = "compositor name=m";
  for (int pad = 0; pad < job.num_pads; ++pad) {
    const std::string property = " sink_" + std::to_string(pad) + "::";
    element += property + "xpos=" + std::to_string(pad % grid.columns * grid.tile_width);
    element += property + "ypos=" + std::to_string(pad / grid.columns * grid.tile_height);
    element += property + "width=" + std::to_string(grid.tile_width);
    element += property + "height=" + std::to_string(grid.tile_height);
  }
  return sources_into(job, element + " ! video/x-raw,format=NV12," + grid.size() + kEnd);
}

// --- Flat from few pads to many ---

// The cost of a frame with 64 pads, of that with 4; the best of each, alternately measured: whatever else runs here
// pushes 64 threads out of the caches sooner than 4. Frames are small, so that all of it is the mux's own.
void flatness(benchmark::State& state, Path path) {
  const Job few{4, 6000, 320, 240};
  const Job many{64, 375, 320, 240};
  double best_of_few = std::numeric_limits<double>::infinity();
  double best_of_many = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    std::string error;
    const auto per_frame = [&](const Job& job) {
      const Cost alone = sources_alone(job);
      const Cost with = cost_of_mux(job, path);
      error += alone.error + with.error;
      return (with.seconds - alone.seconds) / job.num_pads;
    };
    best_of_few = std::min(best_of_few, per_frame(few));
    best_of_many = std::min(best_of_many, per_frame(many));
    if (!error.empty()) {
      state.SkipWithError(error.c_str());
      return;
    }
    state.SetIterationTime(best_of_many);
  }
  state.counters["value"] = best_of_many / best_of_few;
  state.counters["few_us"] = best_of_few * 1e6;
  state.counters["many_us"] = best_of_many * 1e6;
}

// Sources that run freely wait for each other at the mux, and on several cores it is the kernel that decides, run by
// run, how often: that halves or doubles either figure. On one core only the work is left.
void flatness_on_one_core(benchmark::State& state, Path path) {
  const OneCore one_core;
  flatness(state, path);
}

// --- Latency ---

// Live: four pads at 30 fps for ten seconds; the mux's own statistics say how long after their last frame batches left.
void latency(benchmark::State& state, guint64 MuxStats::*percentile) {
  const Job job{4, 300};
  for (auto _ : state) {
    MuxStats stats;
    const Cost cost =
        cost_of(job, mux_line(job, Path::in_slot, "", "is-live=true"), [&](GstElement* pipeline) {
          stats = MuxStats::of(pipeline);
          return std::string();
        });
    if (!cost.error.empty()) {
      state.SkipWithError(cost.error.c_str());
      return;
    }
    state.counters["value"] = static_cast<double>(stats.*percentile) * 1e-6;
  }
}

// --- What there is ---

benchmark::internal::Benchmark* add(const std::string& name,
                                    const std::function<void(benchmark::State&)>& run) {
  return benchmark::RegisterBenchmark(("mux/" + name).c_str(), run)
      ->Unit(benchmark::kMicrosecond)
      ->UseManualTime()
      ->Iterations(kRepetitions);
}

void add_of(int num_pads) {
  const std::string n = "/" + std::to_string(num_pads);
  const Job quick{num_pads, std::max(12'000 / num_pads, 400)};
  const Job slow{num_pads, std::max(640 / num_pads, 60)};
  const auto add_path = [&](const char* name, const Job& job, Path path) {
    add(name + n, [job, path](benchmark::State& state) {
      ratio_of(state, job, [&] { return cost_of_mux(job, path); });
    });
  };
  add_path("by-reference", quick, Path::by_reference);
  add_path("in-slot", quick, Path::in_slot);
  add_path("one-copy", slow, Path::one_copy);
  add("two-copies" + n, [num_pads](benchmark::State& state) { two_copies(state, num_pads); });
  add("tiler" + n, [slow](benchmark::State& state) {
    ratio_of(state, slow, [&] { return cost_of(slow, tiler_line(slow)); });
  });
  add("compositor" + n, [slow](benchmark::State& state) {
    ratio_of(state, slow, [&] { return cost_of(slow, compositor_line(slow)); });
  });
}

const bool added = [] {
  for (const int num_pads : {2, 4, 8, 16}) add_of(num_pads);
  for (const auto& [name, path] :
       {std::pair("by-reference", Path::by_reference), std::pair("in-slot", Path::in_slot)}) {
    const Path of = path;
    add(std::string("flat/") + name, [of](auto& state) {
      flatness_on_one_core(state, of);
    })->Iterations(kShortRepetitions);
    add(std::string("flat-on-all-cores/") + name, [of](auto& state) {
      flatness(state, of);
    })->Iterations(kShortRepetitions);
  }
  return true;
}();
BENCHMARK_CAPTURE(latency, p50, &MuxStats::latency_p50)->Name("mux/latency/p50")->Iterations(1);
BENCHMARK_CAPTURE(latency, p99, &MuxStats::latency_p99)->Name("mux/latency/p99")->Iterations(1);

}  // namespace
}  // namespace lockstep::bench
