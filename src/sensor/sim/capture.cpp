// SPDX-License-Identifier: MIT
#include "sensor/sim/capture.h"

#include <algorithm>
#include <cmath>

namespace lockstep {

SimCapture::SimCapture(const SimOptions& options, std::uint32_t index, const Fraction& framerate)
    : options_(options),
      index_(index),
      nominal_period_ns_(period_of(framerate)),
      controls_(options.settings, options.control_delay,
                Nanoseconds(std::llround(nominal_period_ns_))) {}

void SimCapture::begin(Nanoseconds origin) {
  controls_.settle();
  const std::uint64_t seed = SimRandom(options_.seed).bits(0, index_);
  timeline_.emplace(options_.timing, seed, period_ns(), origin);
  was_unplugged_ = false;
}

void SimCapture::resume(Nanoseconds time) {
  was_unplugged_ = true;
  timeline_->skip_to(time, period_ns());
}

SimShot SimCapture::next() const {
  const SimTrigger& trigger = timeline_->next();
  const SimControls::InForce& in_force = controls_.at(trigger.sequence);
  SimShot shot;
  shot.info.sensor = index_;
  shot.info.sequence = trigger.sequence;
  shot.info.captured = {trigger.reported, options_.realtime ? Clock::monotonic : Clock::simulated};
  shot.info.reference = ReferencePoint::start_of_exposure;
  shot.info.settings = in_force.settings;
  shot.info.settings_revision = in_force.revision;
  shot.exposed = trigger.exposed;
  // Rows cannot be read out slower than frames come.
  shot.readout = std::min(options_.readout, in_force.settings.frame_duration);
  shot.ready = trigger.exposed + in_force.settings.exposure + shot.readout;
  shot.lost = trigger.lost;
  shot.corrupt = trigger.corrupt;
  return shot;
}

void SimCapture::advance() {
  timeline_->advance(period_ns());
  controls_.forget_before(timeline_->next().sequence);
}

void SimCapture::apply(const Settings& wanted, std::uint32_t revision) {
  const std::uint64_t next = timeline_ ? timeline_->next().sequence : 0;
  controls_.apply(wanted, revision, next);
}

Nanoseconds SimCapture::unplugged_at() const {
  return options_.timing.unplugged.begin == options_.timing.unplugged.end || was_unplugged_
             ? Nanoseconds::max()
             : timeline_->unplugged_at();
}

// The exact period of the frame rate unless the settings ask for another: 1/30 s is no whole number
// of nanoseconds.
double SimCapture::period_ns() const {
  const std::uint64_t sequence = timeline_ ? timeline_->next().sequence : 0;
  const auto duration = controls_.at(sequence).settings.frame_duration;
  if (duration == Nanoseconds(std::llround(nominal_period_ns_))) return nominal_period_ns_;
  return static_cast<double>(duration.count());
}

}  // namespace lockstep
