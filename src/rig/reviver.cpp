// SPDX-License-Identifier: MIT
#include "rig/reviver.h"

#include <sys/eventfd.h>

#include <chrono>

namespace lockstep {
namespace {

// Soon enough that nobody waits for it, seldom enough to cost nothing while a camera is away for good.
constexpr auto kInterval = std::chrono::milliseconds(100);

}  // namespace

Reviver::Reviver(Sensor& sensor, int notify_fd)
    : thread_([this, &sensor, notify_fd] { run(sensor, notify_fd); }) {}

Reviver::~Reviver() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void Reviver::run(Sensor& sensor, int notify_fd) {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const bool back = static_cast<bool>(sensor.restart());
    lock.lock();
    if (back) {
      done_.store(true, std::memory_order_release);
      eventfd_write(notify_fd, 1);
      return;
    }
    stopped_.wait_for(lock, kInterval, [this] { return stop_; });
  }
}

}  // namespace lockstep
