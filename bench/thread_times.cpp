// SPDX-License-Identifier: MIT
#include "thread_times.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace lockstep::bench {

ThreadTimes ThreadTimes::now() {
  ThreadTimes times;
  const std::string calling = std::to_string(gettid());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    double nanoseconds = 0;
    std::string name;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    std::getline(std::ifstream(task.path() / "comm"), name);
    double& time = task.path().filename() == calling ? times.calling_us : times.by_name[name];
    time += nanoseconds / 1e3;
  }
  return times;
}

double ThreadTimes::named_us(std::string_view name) const {
  const auto found = by_name.find(std::string(name));
  return found == by_name.end() ? 0 : found->second;
}

double ThreadTimes::others_us(std::initializer_list<std::string_view> but) const {
  double sum = 0;
  for (const auto& [name, time] : by_name)
    if (std::find(but.begin(), but.end(), name) == but.end()) sum += time;
  return sum;
}

ThreadTimes operator-(const ThreadTimes& end, const ThreadTimes& begin) {
  ThreadTimes between{end.calling_us - begin.calling_us, end.by_name};
  for (auto& [name, time] : between.by_name) time -= std::min(time, begin.named_us(name));
  return between;
}

}  // namespace lockstep::bench
