// SPDX-License-Identifier: MIT
#include "repetitions.h"

#include <algorithm>
#include <vector>

#include "pipeline.h"

namespace lockstep::bench {

void repeat(benchmark::State& state, const std::function<Repetition()>& measure) {
  std::vector<double> ratios;
  for (auto _ : state) {
    const Repetition repetition = measure();
    if (!repetition.error.empty()) {
      state.SkipWithError(repetition.error.c_str());
      return;
    }
    ratios.push_back(repetition.ratio);
    state.SetIterationTime(std::max(repetition.seconds, 1e-9));
  }
  std::sort(ratios.begin(), ratios.end());
  state.counters["value"] = ratios[ratios.size() / 2];
  state.counters["least"] = ratios.front();
  state.counters["most"] = ratios.back();
}

double seconds_of(int times, const std::function<void()>& work) {
  const double begin = thread_cpu_seconds();
  for (int i = 0; i < times; ++i) work();
  return (thread_cpu_seconds() - begin) / times;
}

}  // namespace lockstep::bench
