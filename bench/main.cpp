// SPDX-License-Identifier: MIT
// Runs the benchmarks and prints the promised ratios, each of two figures of this one run: machines are shared and
// noisy, so that absolute times of two runs say little.
#include <benchmark/benchmark.h>
#include <gst/gst.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "frame_source.h"
#include "ratios.h"
#ifdef LOCKSTEP_HAVE_EGLSTREAM
#include "eglstream_bench.h"
#endif

namespace lockstep::bench {
namespace {

// Google Benchmark 1.8 has another name for it.
template <typename Run>
bool is_skipped(const Run& run) {
  if constexpr (requires { run.error_occurred; })
    return run.error_occurred;
  else
    return run.skipped != decltype(run.skipped){};
}

// Keeps each benchmark's CPU time, or its counter "value" where it has one; the median where it was repeated.
class RatioReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (is_skipped(run)) continue;
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name != "median") continue;
      const auto value = run.counters.find("value");
      // A time that was set by hand is CPU time already, and stands where real time does.
      const double time = run.run_name.time_type == "manual_time" ? run.GetAdjustedRealTime()
                                                                  : run.GetAdjustedCPUTime();
      figures_[run.run_name.function_name] =
          value != run.counters.end() ? double{value->second.value} : time;
    }
    ConsoleReporter::ReportRuns(runs);
  }
  const Figures& figures() const { return figures_; }

 private:
  Figures figures_;
};

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
#ifdef LOCKSTEP_HAVE_EGLSTREAM
  if (argc == 4 && std::strcmp(argv[1], "--camera") == 0)
    return lockstep::bench::be_camera(argv + 2);
#endif
  gst_init(&argc, &argv);
  lockstep::bench::register_frame_source();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  lockstep::bench::RatioReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  lockstep::bench::print_ratios(reporter.figures());
  return 0;
}
