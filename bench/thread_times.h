// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace lockstep::bench {

/// CPU time of the threads of this process so far, or between two moments, by their names. Threads of one name count together.
///
/// \source  /proc/self/task/N/schedstat, whose first number is the time on a CPU in nanoseconds.
struct ThreadTimes {
  double calling_us = 0;                  ///< Of the thread that asks.
  std::map<std::string, double> by_name;  ///< Of all others. \units microseconds.

  static ThreadTimes now();
  double named_us(std::string_view name) const;
  double others_us(std::initializer_list<std::string_view> but) const;
};

/// \shape  both of one thread; threads that ended in between count as nothing.
ThreadTimes operator-(const ThreadTimes& end, const ThreadTimes& begin);

}  // namespace lockstep::bench
