// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "lockstep/synchroniser.h"

namespace lockstep {

/// Random numbers that are the same for the same seed.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  Nanoseconds between(Nanoseconds low, Nanoseconds high) {
    return Nanoseconds(between(low.count(), high.count()));
  }
  std::size_t size(std::size_t low, std::size_t high) {
    return static_cast<std::size_t>(
        between(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)));
  }
  bool chance(double probability) { return std::bernoulli_distribution(probability)(engine_); }

 private:
  std::mt19937 engine_;
};

/// One thing that happens to a synchroniser.
struct Event {
  enum class Kind { frame, activity, config };
  Kind kind = Kind::frame;
  Nanoseconds now{0};
  std::size_t sensor = 0;
  Nanoseconds captured{0};  ///< Of a frame.
  bool active = true;       ///< Of a change of activity.
  SyncConfig config;        ///< Of a change of configuration.
};

/// A random rig and what happens to it, in order of time.
struct Stream {
  std::size_t num_sensors = 1;
  std::size_t max_pending = 1;
  SyncConfig config;
  Nanoseconds period{0};
  std::vector<Event> events;
};

/// Which faults a stream has, beside losses, stalls, latency, jitter and unequal rates.
struct Faults {
  bool wrong_times = false;  ///< Duplicate, backward, absurd, far ahead, clocks set back.
  bool changes = false;      ///< Activity and configuration change now and then.
};

/// Makes streams of one to 64 sensors.
class StreamMaker {
 public:
  StreamMaker(std::uint32_t seed, Faults faults) : random_(seed), faults_(faults) {}

  Stream make() {
    stream_.num_sensors = random_.chance(0.05) ? random_.size(9, 64) : random_.size(1, 8);
    stream_.max_pending = random_.size(1, 6);
    stream_.period = random_.between(std::chrono::milliseconds(5), std::chrono::milliseconds(50));
    stream_.config = config();
    loss_ = random_.chance(0.3) ? 0 : 0.1;
    for (std::size_t sensor = 0; sensor < stream_.num_sensors; ++sensor) add_sensor(sensor);
    if (faults_.changes) add_changes();
    std::stable_sort(stream_.events.begin(), stream_.events.end(),
                     [](const Event& a, const Event& b) { return a.now < b.now; });
    return std::move(stream_);
  }

 private:
  static constexpr int kNumFrames = 40;
  static constexpr Nanoseconds kBegin = std::chrono::seconds(50);

  SyncConfig config() {
    constexpr OnMissing kPolicies[] = {OnMissing::partial, OnMissing::repeat, OnMissing::drop};
    return {random_.between(Nanoseconds(0), stream_.period * 2),
            random_.between(Nanoseconds(0), stream_.period * 3), kPolicies[random_.between(0, 2)]};
  }

  void add_sensor(std::size_t sensor) {
    const int step = random_.chance(0.2) ? 2 : 1;
    const int stall = random_.chance(0.2) ? static_cast<int>(random_.between(0, kNumFrames)) : -99;
    const Nanoseconds jitter = random_.between(Nanoseconds(0), stream_.period / 2);
    const Nanoseconds latency = random_.between(Nanoseconds(0), stream_.period * 2);
    Nanoseconds set_back{0};
    Nanoseconds now{0};
    for (int k = 0; k < kNumFrames; k += step) {
      if (random_.chance(loss_) || (k >= stall && k < stall + 10)) continue;
      Nanoseconds captured = kBegin + stream_.period * k + random_.between(-jitter, jitter) / 2;
      // One sensor's frames arrive in order.
      now = std::max(now, captured + latency + random_.between(Nanoseconds(0), stream_.period));
      if (faults_.wrong_times) {
        if (random_.chance(0.01)) set_back += random_.between(Nanoseconds(0), stream_.period * 9);
        captured = spoiled(captured - set_back);
      }
      stream_.events.push_back({Event::Kind::frame, now, sensor, captured, true, {}});
    }
  }

  Nanoseconds spoiled(Nanoseconds captured) {
    if (!random_.chance(0.1)) return captured;
    switch (random_.between(0, 4)) {
      case 0:
        return last_spoiled_;  // A duplicate, often.
      case 1:
        return captured + std::chrono::seconds(random_.between(-20, 20));
      case 2:
        return random_.chance(0.5) ? Nanoseconds::min() : Nanoseconds::max();
      default:
        return last_spoiled_ = captured + random_.between(-stream_.period, stream_.period) * 2;
    }
  }

  void add_changes() {
    for (std::size_t count = random_.size(1, 10); count > 0; --count) {
      Event event;
      event.kind = random_.chance(0.5) ? Event::Kind::activity : Event::Kind::config;
      event.now = kBegin + random_.between(Nanoseconds(0), stream_.period * kNumFrames);
      event.sensor = random_.size(0, stream_.num_sensors - 1);
      event.active = random_.chance(0.5);
      event.config = config();
      stream_.events.push_back(event);
    }
  }

  Random random_;
  Faults faults_;
  double loss_ = 0;
  Stream stream_;
  Nanoseconds last_spoiled_{0};
};

}  // namespace lockstep
