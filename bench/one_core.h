// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>

namespace lockstep::bench {

/// Keeps all threads of this process on one core as long as it lives, those that are made meanwhile too.
class OneCore {
 public:
  OneCore();
  ~OneCore();
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace lockstep::bench
