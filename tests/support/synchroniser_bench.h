// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lockstep/synchroniser.h"

namespace lockstep {

inline constexpr Nanoseconds kTick{1};

constexpr Nanoseconds ms(std::int64_t count) { return std::chrono::milliseconds(count); }

inline std::string text_of(Nanoseconds time) {
  if (time % ms(1) == Nanoseconds(0)) return std::to_string(time / ms(1));
  return std::to_string(time.count()) + "ns";
}

// A synchroniser whose sets and drops read as text: "33 34 -" is a set of three sensors with the
// capture times of its frames in milliseconds, "late 1@34" a frame of sensor 1 that was late.
class SynchroniserBench {
 public:
  explicit SynchroniserBench(std::size_t num_sensors,
                             SyncConfig config = {ms(10), ms(30), OnMissing::partial},
                             std::size_t max_pending = 8)
      : sync(num_sensors, config, max_pending), num_sensors_(num_sensors) {}

  // Past the start: every sensor has delivered a frame at 0.
  SynchroniserBench& start() {
    for (std::size_t sensor = 0; sensor < num_sensors_; ++sensor) push(sensor, ms(0), ms(0));
    EXPECT_NE(pop(ms(0)), "nothing");
    return *this;
  }

  void push(std::size_t sensor, Nanoseconds captured, Nanoseconds now) {
    frames_.push_back(captured);
    sync.push({sensor, captured, frames_.size() - 1}, now);
  }

  std::string pop(Nanoseconds now) {
    const auto set = sync.pop(now);
    if (!set) return "nothing";
    std::string text;
    for (const auto& token : set->tokens)
      text += (text.empty() ? "" : " ") + (token ? text_of(frames_.at(*token)) : "-");
    return text;
  }

  // Pushes a frame the moment it is captured, then pops once.
  std::string push_pop(std::size_t sensor, Nanoseconds captured) {
    push(sensor, captured, captured);
    return pop(captured);
  }

  std::string drops() {
    std::string text;
    for (const auto& drop : sync.take_drops())
      text += (text.empty() ? "" : ", ") + std::string(to_string(drop.reason)) + " " +
              std::to_string(drop.sensor) + "@" + text_of(frames_.at(drop.token));
    return text;
  }

  Synchroniser sync;

 private:
  std::size_t num_sensors_;
  std::vector<Nanoseconds> frames_;  // Capture time by token.
};

}  // namespace lockstep
