// SPDX-License-Identifier: MIT
#include "sensor/sim/controls.h"

#include "sensor/sim/options.h"

namespace lockstep {

SimControls::SimControls(const Settings& first, int delay, Nanoseconds frame_period)
    : delay_(delay), frame_period_(frame_period), wanted_exposure_(first.exposure) {
  changes_.push_back({0, {within_sim_limits(first, frame_period), 0}});
}

void SimControls::apply(const Settings& wanted, std::uint32_t revision,
                        std::uint64_t next_sequence) {
  if (wanted.exposure > Nanoseconds(0)) wanted_exposure_ = wanted.exposure;
  Settings settings = wanted;
  settings.exposure = wanted_exposure_;
  const std::uint64_t from = next_sequence + static_cast<std::uint64_t>(delay_);
  changes_.push_back({from, {within_sim_limits(settings, frame_period_), revision}});
}

const SimControls::InForce& SimControls::at(std::uint64_t sequence) const {
  std::size_t last = 0;
  while (last + 1 < changes_.size() && changes_[last + 1].from <= sequence) ++last;
  return changes_[last].what;
}

void SimControls::forget_before(std::uint64_t sequence) {
  while (changes_.size() > 1 && changes_[1].from <= sequence) changes_.pop_front();
}

void SimControls::settle() {
  changes_.erase(changes_.begin(), changes_.end() - 1);
  changes_.front().from = 0;
}

}  // namespace lockstep
