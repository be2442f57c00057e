// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "lockstep/sensor.h"

namespace lockstep {

/// Tries to restart a lost sensor in a thread of its own until it works, so that the others' frames do not wait.
///
/// The sensor is the reviver's until done() answers true or the reviver is destroyed.
class Reviver {
 public:
  /// \units  `notify_fd` is an eventfd that is written to once the sensor is back.
  Reviver(Sensor& sensor, int notify_fd);
  ~Reviver();
  Reviver(const Reviver&) = delete;
  Reviver& operator=(const Reviver&) = delete;

  bool done() const { return done_.load(std::memory_order_acquire); }

 private:
  void run(Sensor& sensor, int notify_fd);

  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;  // guarded by mutex_
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace lockstep
