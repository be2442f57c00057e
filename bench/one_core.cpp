// SPDX-License-Identifier: MIT
#include "one_core.h"

#include <dirent.h>

#include <cstdlib>

namespace lockstep::bench {
namespace {

// Each thread has a mask of its own, and GLib keeps threads for the next run.
void set_for_all_threads(const cpu_set_t& cores) {
  DIR* threads = opendir("/proc/self/task");
  if (!threads) return;
  while (const dirent* entry = readdir(threads)) {
    const int thread = std::atoi(entry->d_name);
    if (thread > 0) sched_setaffinity(thread, sizeof cores, &cores);
  }
  closedir(threads);
}

}  // namespace

OneCore::OneCore() {
  CPU_ZERO(&before_);
  sched_getaffinity(0, sizeof before_, &before_);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  set_for_all_threads(one);
}

OneCore::~OneCore() { set_for_all_threads(before_); }

}  // namespace lockstep::bench
