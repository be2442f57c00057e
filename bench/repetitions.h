// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

namespace lockstep::bench {

/// What is measured and what it is a ratio of, one after another.
struct Repetition {
  double seconds = 0;  ///< Of what is measured. \units seconds of CPU time.
  double ratio = 0;
  std::string error;  ///< Why it could not be measured; empty if it could.
};

/// Measures once in each iteration; the benchmark's figure is the median of the ratios. So noise that lasts longer than a
/// repetition cancels, and what is shorter falls out.
void repeat(benchmark::State& state, const std::function<Repetition()>& measure);

/// Of this thread, for `work` once, the mean of so many times. \units seconds of CPU time.
double seconds_of(int times, const std::function<void()>& work);

}  // namespace lockstep::bench
