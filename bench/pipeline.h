// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <gst/gst.h>

namespace lockstep::bench {

/// What a pipeline has cost.
struct PipelineCost {
  double cpu_seconds_per_buffer = 0;  ///< Of the whole process, start-up taken out.
  double wall_seconds = 0;
  bool ok = false;
  std::string error;
};

/// Runs a launch line to its end and measures from its `skip`-th buffer on, as counted at the pad before the element
/// named "end".
///
/// CPU time is that of all threads together: what the streaming threads, sensors and helpers took.
/// `before` and `at_end` are called with the pipeline before it starts and after its EOS.
PipelineCost run_pipeline(const std::string& launch, std::uint64_t skip,
                          const std::function<void(GstElement*)>& at_end = {},
                          const std::function<void(GstElement*)>& before = {});

/// CPU time of the thread that asks. \units seconds.
double thread_cpu_seconds();

/// Runs a launch line and hands over the bytes of the last buffer that reached "end" (a fakesink).
std::string last_buffer_of(const std::string& launch);

}  // namespace lockstep::bench
