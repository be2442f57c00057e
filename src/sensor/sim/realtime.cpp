// SPDX-License-Identifier: MIT
// The simulated sensor on the real clock. Its thread is the hardware: it sleeps until a trigger,
// takes a slot and draws into it while the exposure lasts, and tells of it when the last row would
// have been read out. Exposures overlap: the next may begin before the last frame is ready.
//
// One mutex guards what the thread and the callers share. Nothing is drawn while it is held.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <system_error>
#include <thread>
#include <utility>

#include "sensor/sim/sensor.h"
#include "support/mutex.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

// An fd that poll() finds readable from set() to clear().
class Signal {
 public:
  Result<void> open() {
    if (!fd_) fd_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd_) return system_error(errno, "make an event fd");
    clear();
    return {};
  }
  void set() { eventfd_write(fd_.get(), 1); }
  void clear() {
    eventfd_t ignored = 0;
    eventfd_read(fd_.get(), &ignored);
  }
  int fd() const { return fd_.get(); }

  // Whether it was set before `deadline` on CLOCK_MONOTONIC.
  bool wait_until(Nanoseconds deadline) const {
    for (;;) {
      const auto left = std::clamp(deadline - monotonic_now(), Nanoseconds(0), Nanoseconds(kADay));
      const timespec timeout{static_cast<time_t>(left.count() / 1'000'000'000),
                             static_cast<long>(left.count() % 1'000'000'000)};
      pollfd poll{fd_.get(), POLLIN, 0};
      if (ppoll(&poll, 1, &timeout, nullptr) > 0) return true;
      if (monotonic_now() >= deadline) return false;
    }
  }

 private:
  static constexpr std::chrono::hours kADay{24};

  UniqueFd fd_;
};

class RealtimeSim final : public SimSensor {
 public:
  using SimSensor::SimSensor;
  ~RealtimeSim() override { stop(); }

  Result<void> start() override;
  Result<void> queue(std::size_t arena_index) override;
  Result<std::optional<Delivered>> dequeue() override;
  void stop() override;
  Result<void> restart() override;
  int readable_fd() const override { return state_ == State::streaming ? readable_.fd() : -1; }
  Result<SettingsChange> write(const SettingsChange& change, std::optional<std::uint32_t> completes,
                               Nanoseconds now) override;

 private:
  enum class State { stopped, streaming, lost };

  // A frame that has been drawn and is ready later.
  struct InFlight {
    SimShot shot;
    SimTarget target;
  };

  Result<void> launch();
  void run();
  Nanoseconds next_exposure();
  void expose();
  void deliver();
  void unplug();

  // Of the caller.
  State state_ = State::stopped;
  std::thread thread_;

  // Of the thread while it runs.
  std::deque<InFlight> in_flight_;

  // Of both. `capture_` and `targets_` too.
  Mutex mutex_;
  std::deque<Delivered> ready_ LOCKSTEP_GUARDED_BY(mutex_);
  bool unplugged_ LOCKSTEP_GUARDED_BY(mutex_) = false;
  Signal readable_;  // While ready_ holds a frame or unplugged_.
  Signal ended_;     // The thread shall end.
};

Result<void> RealtimeSim::start() {
  if (auto ready = check_ready_to_start(state_ != State::stopped); !ready) return ready;
  // A little ahead, so that the thread does not begin with a trigger that it is late for.
  const Nanoseconds soon = monotonic_now() + std::chrono::milliseconds(1);
  capture_->begin(first_common_trigger(soon, format_.framerate, options_.phase));
  gaps_.begin(0);
  return launch();
}

Result<void> RealtimeSim::launch() {
  for (Signal* signal : {&readable_, &ended_})
    if (auto opened = signal->open(); !opened) return opened;
  {
    MutexLock lock(mutex_);
    ready_.clear();
    unplugged_ = false;
  }
  try {
    thread_ = std::thread(&RealtimeSim::run, this);
  } catch (const std::system_error& error) {
    return system_error(error.code().value(), "start a thread for " + name_);
  }
  state_ = State::streaming;
  return {};
}

Result<void> RealtimeSim::queue(std::size_t arena_index) {
  if (state_ == State::lost) return gone(Errc::device_lost, "queue a slot to");
  MutexLock lock(mutex_);
  return queue_target(arena_index);
}

Result<std::optional<Delivered>> RealtimeSim::dequeue() {
  if (state_ == State::lost) return gone(Errc::device_lost, "take a frame from");
  if (state_ == State::stopped) return std::optional<Delivered>();
  {
    MutexLock lock(mutex_);
    if (!ready_.empty()) {
      std::optional<Delivered> delivered = std::move(ready_.front());
      ready_.pop_front();
      if (ready_.empty() && !unplugged_) readable_.clear();
      return delivered;
    }
    if (!unplugged_) return std::optional<Delivered>();
    targets_.clear();
  }
  thread_.join();
  state_ = State::lost;
  return gone(Errc::device_lost, "take a frame from");
}

void RealtimeSim::stop() {
  if (thread_.joinable()) {
    ended_.set();
    thread_.join();
  }
  state_ = State::stopped;
  in_flight_.clear();
  targets_.clear();
  if (capture_) capture_->end();
  MutexLock lock(mutex_);
  ready_.clear();
}

Result<void> RealtimeSim::restart() {
  if (state_ != State::lost) return not_lost();
  const Nanoseconds now = monotonic_now();
  if (now < capture_->plugged_at()) return gone(Errc::not_found, "restart");
  capture_->resume(now);
  return launch();
}

Result<SettingsChange> RealtimeSim::write(const SettingsChange& change,
                                          std::optional<std::uint32_t> completes, Nanoseconds now) {
  if (state_ == State::lost) return gone(Errc::device_lost, "write settings to");
  MutexLock lock(mutex_);
  // It is written now, and not when the caller looked at the clock.
  now = std::max(now, monotonic_now());
  if (state_ == State::streaming && now >= capture_->unplugged_at())
    return gone(Errc::device_lost, "write settings to");
  return write_settings(change, completes, now);
}

void RealtimeSim::run() {
  // The usual 50 us by which the kernel may wake us late would show in the latencies.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  const Nanoseconds unplugged_at = capture_->unplugged_at();
  for (;;) {
    const Nanoseconds exposure = next_exposure();
    const Nanoseconds ready =
        in_flight_.empty() ? Nanoseconds::max() : in_flight_.front().shot.ready;
    if (ended_.wait_until(std::min({exposure, ready, unplugged_at}))) return;
    if (unplugged_at <= std::min(exposure, ready)) {
      unplug();
      return;
    }
    if (ready <= exposure)
      deliver();
    else
      expose();
  }
}

Nanoseconds RealtimeSim::next_exposure() {
  MutexLock lock(mutex_);
  return capture_->next().exposed;
}

void RealtimeSim::expose() {
  SimShot shot;
  std::optional<SimTarget> target;
  {
    MutexLock lock(mutex_);
    shot = capture_->next();
    capture_->advance();
    // A machine too slow to draw every frame loses some, and does not fall behind for ever.
    const bool late = monotonic_now() > shot.ready + shot.settings.frame_duration;
    if (!shot.lost && !late) target = targets_.take();
  }
  if (!target) return;
  if (!shot.corrupt) picture_->draw(shot, target->bytes);
  in_flight_.push_back({shot, *std::move(target)});
}

void RealtimeSim::deliver() {
  InFlight frame = std::move(in_flight_.front());
  in_flight_.pop_front();
  MutexLock lock(mutex_);
  ready_.push_back(develop(frame.shot, std::move(frame.target), monotonic_now()));
  readable_.set();
}

void RealtimeSim::unplug() {
  in_flight_.clear();
  MutexLock lock(mutex_);
  unplugged_ = true;
  readable_.set();
}

}  // namespace

std::unique_ptr<Sensor> make_realtime_sim(std::string name, const SimOptions& options) {
  return std::make_unique<RealtimeSim>(std::move(name), options);
}

}  // namespace lockstep
