// SPDX-License-Identifier: MIT
#include <ctime>

#include "lockstep/time.h"

namespace lockstep {

Nanoseconds monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) + Nanoseconds(now.tv_nsec);
}

}  // namespace lockstep
