// SPDX-License-Identifier: MIT
// What a batch costs from its frames being ready to its buffer being pushed. The simulator stamps its frames only, on a
// virtual clock, so that what is measured is the rig and the source element, not the making of pictures.
#include <benchmark/benchmark.h>
#include <gst/gst.h>

#include <string>

#include "copies.h"
#include "pipeline.h"
#include "repetitions.h"

namespace lockstep::bench {
namespace {

constexpr const char* kStamp = "sim?realtime=false&render=stamp";

std::string source_line(const std::string& sensors, int num_sensors, int width, int height,
                        int num_buffers, const std::string& more = "") {
  return "lockstepsrc name=src sensors=\"" + sensors +
         "\" num-sensors=" + std::to_string(num_sensors) +
         " num-buffers=" + std::to_string(num_buffers) + " " + more +
         " ! video/x-raw(ANY),format=NV12,width=" + std::to_string(width) +
         ",height=" + std::to_string(height) + " ! fakesink name=end sync=false";
}

// One iteration is one run of the line; its time is the CPU time of one batch.
void time_line(benchmark::State& state, const std::string& line, std::uint64_t skip, double per) {
  for (auto _ : state) {
    const PipelineCost cost = run_pipeline(line, skip);
    if (!cost.ok) {
      state.SkipWithError(cost.error.c_str());
      return;
    }
    state.SetIterationTime(cost.cpu_seconds_per_buffer / per);
  }
}

void no_copy(benchmark::State& state, int width, int height) {
  time_line(state, source_line(kStamp, 4, width, height, 12'000), 2'000, 1);
}

void per_frame(benchmark::State& state, int num_sensors) {
  const int batches = 40'000 / num_sensors;
  time_line(state, source_line(kStamp, num_sensors, 320, 240, batches + 500), 500, num_sensors);
}

// Of a memcpy between as many batches, as many times: a sensor lends the buffer again that came back last, and the sink
// keeps a batch while the next is filled. Both have new memory each time: how fast it is depends on where its pages lie.
void one_copy(benchmark::State& state) {
  constexpr int kBatches = 500;
  constexpr int kSkip = 50;
  const std::string line = source_line(std::string(kStamp) + "&delivery=lend", 4, 1920, 1080,
                                       kBatches, "layout=contiguous");
  repeat(state, [&] {
    Copies copies(4, 1, 2);
    seconds_of(kSkip, [&] { copies.once(); });
    const double memcpy_seconds = seconds_of(kBatches - kSkip, [&] { copies.once(); });
    const PipelineCost cost = run_pipeline(line, kSkip);
    return Repetition{cost.cpu_seconds_per_buffer, cost.cpu_seconds_per_buffer / memcpy_seconds,
                      cost.error};
  });
}

void one_memcpy(benchmark::State& state) {
  Copies copies(4, 1, 1);
  for (auto _ : state) copies.once();
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * copies.batch_bytes()));
}

void two_copies(benchmark::State& state) {
  Copies copies(4, 1, 1);
  for (auto _ : state) copies.twice();
}

// Live: four sensors at 30 fps for ten seconds; the source's own statistics say when batches left.
void latency(benchmark::State& state, const char* field) {
  double milliseconds = 0;
  for (auto _ : state) {
    const std::string line = source_line("sim?render=stamp", 4, 1920, 1080, 300);
    const PipelineCost cost = run_pipeline(line, 1, [&](GstElement* pipeline) {
      GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "src");
      GstStructure* stats = nullptr;
      g_object_get(source, "stats", &stats, nullptr);
      guint64 nanoseconds = 0;
      gst_structure_get_uint64(stats, field, &nanoseconds);
      milliseconds = static_cast<double>(nanoseconds) * 1e-6;
      gst_structure_free(stats);
      gst_object_unref(source);
    });
    if (!cost.ok) {
      state.SkipWithError(cost.error.c_str());
      return;
    }
  }
  state.counters["value"] = milliseconds;
}

constexpr auto kUnit = benchmark::kMicrosecond;

BENCHMARK(one_memcpy)->Name("memcpy/1080p")->Unit(kUnit)->MinTime(1);
BENCHMARK(two_copies)->Name("baseline/two-copies/1080p")->Unit(kUnit)->MinTime(1);
BENCHMARK_CAPTURE(no_copy, 1080p, 1920, 1080)
    ->Name("source/no-copy/1080p")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(5);
BENCHMARK_CAPTURE(no_copy, 4k, 3840, 2160)
    ->Name("source/no-copy/4k")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(5);
BENCHMARK(one_copy)->Name("source/one-copy/1080p")->Unit(kUnit)->UseManualTime()->Iterations(15);
BENCHMARK_CAPTURE(per_frame, 4, 4)
    ->Name("source/per-frame/4")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(5);
BENCHMARK_CAPTURE(per_frame, 16, 16)
    ->Name("source/per-frame/16")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(5);
BENCHMARK_CAPTURE(per_frame, 64, 64)
    ->Name("source/per-frame/64")
    ->Unit(kUnit)
    ->UseManualTime()
    ->Iterations(5);
BENCHMARK_CAPTURE(latency, p50, "latency-p50")->Name("source/latency/p50")->Iterations(1);
BENCHMARK_CAPTURE(latency, p99, "latency-p99")->Name("source/latency/p99")->Iterations(1);

}  // namespace
}  // namespace lockstep::bench
