// SPDX-License-Identifier: MIT
#include "sensor/sim/capture.h"

#include <algorithm>
#include <cmath>

namespace lockstep {

SimCapture::SimCapture(const SimOptions& options, std::uint32_t index, const Fraction& framerate)
    : options_(options),
      index_(index),
      nominal_period_ns_(period_of(framerate)),
      controls_(options.settings, options.caps, Nanoseconds(std::llround(nominal_period_ns_))) {}

void SimCapture::begin(Nanoseconds origin) {
  controls_.settle(0);
  const std::uint64_t seed = SimRandom(options_.seed).bits(0, index_);
  timeline_.emplace(options_.timing, seed, period_ns(0), origin);
  was_unplugged_ = false;
}

void SimCapture::resume(Nanoseconds time) {
  was_unplugged_ = true;
  const std::uint64_t next = timeline_->next().sequence;
  controls_.settle(next);
  timeline_->skip_to(time, period_ns(next));
}

SimShot SimCapture::next() const {
  const SimTrigger& trigger = timeline_->next();
  const SimControls::InForce in_force = controls_.at(trigger.sequence);
  SimShot shot;
  shot.info.sensor = index_;
  shot.info.sequence = trigger.sequence;
  shot.info.captured = {trigger.reported, options_.realtime ? Clock::monotonic : Clock::simulated};
  shot.info.reference = ReferencePoint::start_of_exposure;
  shot.settings = in_force.settings;
  shot.settings_revision = in_force.revision;
  if (options_.caps.reports) {
    shot.info.settings = in_force.settings;
    shot.info.settings_revision = in_force.revision;
  }
  shot.stream_begin = timeline_->origin() - options_.phase;
  shot.exposed = trigger.exposed;
  // Rows cannot be read out slower than frames come.
  shot.readout = std::min(options_.readout, in_force.settings.frame_duration);
  shot.ready = trigger.exposed + in_force.settings.exposure + shot.readout;
  shot.lost = trigger.lost;
  shot.corrupt = trigger.corrupt;
  return shot;
}

void SimCapture::advance() {
  timeline_->advance(period_ns(timeline_->next().sequence));
  controls_.forget_before(timeline_->next().sequence);
}

void SimCapture::write(const SettingsChange& taken, std::optional<std::uint32_t> completes,
                       Nanoseconds now) {
  controls_.write(taken, completes, timeline_ ? first_after(now) : 0);
  if (!timeline_) controls_.settle(0);
}

bool SimCapture::refuses_writes(Nanoseconds now) const {
  return timeline_ && options_.refusal.covers(now - timeline_->origin());
}

// Frames are taken when they are ready, and by a thread that may be late: exposures after them may
// have begun already.
std::uint64_t SimCapture::first_after(Nanoseconds now) const {
  if (timeline_->next().exposed > now) return timeline_->next().sequence;
  SimTimeline ahead = *timeline_;
  while (ahead.next().exposed <= now) ahead.advance(period_ns(ahead.next().sequence));
  return ahead.next().sequence;
}

Nanoseconds SimCapture::unplugged_at() const {
  return !timeline_ || options_.timing.unplugged.begin == options_.timing.unplugged.end ||
                 was_unplugged_
             ? Nanoseconds::max()
             : timeline_->unplugged_at();
}

// The exact period of the frame rate unless the settings ask for another: 1/30 s is no whole number
// of nanoseconds.
double SimCapture::period_ns(std::uint64_t sequence) const {
  const auto duration = controls_.at(sequence).settings.frame_duration;
  if (duration == Nanoseconds(std::llround(nominal_period_ns_))) return nominal_period_ns_;
  return static_cast<double>(duration.count());
}

}  // namespace lockstep
