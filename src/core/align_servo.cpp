// SPDX-License-Identifier: MIT
// The clock of a sensor foretells where an exposure begins, with every duration counted that is settled already, so
// there is no delay in this loop and nothing that could swing: a duration is chosen that puts the next start onto the
// grid, in one go if that is near. Noise is the clock's business; the servo only spares the bus writes that would follow
// what is not known anyway.
#include "core/align_servo.h"

#include <algorithm>
#include <cmath>

#include "core/nanoseconds.h"

namespace lockstep {
namespace {

// Nearer than that need not be: a write for each microsecond would be one per frame. \units ns
constexpr double kNearEnough = 5e3;
// Nor need it be nearer than a share of what the clock is uncertain by: added as squares it is lost in that.
constexpr double kShareOfUncertainty = 0.25;
// What is off by little is corrected by this share of it per frame, and one value then does for many frames: were it
// corrected at once, the next frame would need another write to stop.
constexpr double kGentle = 1.0 / 32;
// What is off by less than this share of a period goes straight to its instant; else the quicker way is looked for.
constexpr double kStraight = 1.0 / 32;
// Room that the grid leaves to a sensor whose range ends at the pace it would take, to make up for noise.
constexpr double kRoom = 50e-6;
// The share of a period that a clock must know its sensor by before the grid yields to that one's range.
constexpr double kCertain = 0.01;

bool runs(const AlignServo::Sensor& sensor) {
  return sensor.active && sensor.clock != nullptr && sensor.clock->started();
}

bool can_be_led(const AlignServo::Sensor& sensor) { return runs(sensor) && sensor.duration; }

// The value of the range that is nearest to `wanted` of those between `least` and `most`; nearest to `natural` where
// there is none.
double nearest_between(const SettingRange& range, double wanted, double least, double most,
                       double natural) {
  double value = nearest(range, wanted);
  if (value < least) value = nearest(range, value + range.step);
  if (value > most) value = nearest(range, value - range.step);
  return value < least || value > most ? nearest(range, natural) : value;
}

}  // namespace

AlignServo::AlignServo(std::size_t num_sensors, Nanoseconds nominal_duration)
    : nominal_(nominal_duration), headings_(num_sensors) {}

void AlignServo::set_nominal(Nanoseconds duration) {
  if (duration == nominal_) return;
  nominal_ = duration;
  origin_.reset();
  std::fill(headings_.begin(), headings_.end(), 0);
}

std::optional<Nanoseconds> AlignServo::duration_for(std::size_t which, std::int64_t index,
                                                    Nanoseconds present,
                                                    const std::vector<Sensor>& sensors) {
  if (which >= sensors.size() || which >= headings_.size()) return std::nullopt;
  const Sensor& sensor = sensors[which];
  if (!can_be_led(sensor)) return std::nullopt;
  const Nanoseconds start = sensor.clock->start_of(index);
  const Grid grid = grid_at(start, sensors);
  const double rate = 1 + sensor.clock->drift();
  const double period = as_double(grid.period);
  const double off =
      way_to_go(which, as_double(start - grid.instant), rate, grid.period, *sensor.duration);

  const double natural = period / rate;
  const double most = kMostNudge * natural;
  // By the sensor's own clock, whatever is thought of its drift: its exposure must fit.
  const double shortest =
      std::min(natural, std::max(natural - most, (1 - kMostNudge) * as_double(nominal_)));
  const double enough = std::max({kNearEnough, sensor.duration->step / 2,
                                  kShareOfUncertainty * as_double(sensor.clock->uncertainty())});
  const auto next_off = [&](Nanoseconds duration) {
    return std::abs(off + as_double(duration) * rate - period);
  };
  const auto choose = [&](double gain) {
    const double wanted = std::clamp(natural - gain * off / rate, shortest, natural + most);
    return rounded(nearest_between(*sensor.duration, wanted, shortest, natural + most, natural));
  };
  Nanoseconds best = choose(kGentle);
  // Too far for that, or the sensor's steps are too coarse.
  if (std::abs(off) > 2 * enough || next_off(best) > std::min(std::abs(off), enough))
    best = choose(1);

  // On a long way, a little more or less in one frame does not matter.
  const bool is_far = std::abs(off) > most;
  const double good = std::max(enough, next_off(best) + (is_far ? enough : 0));
  const bool fits = std::abs(as_double(present) - natural) <= most + enough;
  if (best == present || (fits && next_off(present) <= good)) return std::nullopt;
  return best;
}

// The first sensor that cannot be led, unless its frames come at another rate altogether.
std::optional<std::size_t> AlignServo::find_leader(const std::vector<Sensor>& sensors) const {
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    if (!runs(sensors[i]) || sensors[i].duration) continue;
    const ExposureClock& clock = *sensors[i].clock;
    const Nanoseconds period = clock.start_of(clock.index() + 1) - clock.start_of(clock.index());
    if (std::abs(as_double(period - nominal_)) <= kMostNudge * as_double(nominal_)) return i;
  }
  return std::nullopt;
}

// For a time at which some sensor can be led. Where a leader is lost, the grid goes on from its last instant.
AlignServo::Grid AlignServo::grid_at(Nanoseconds time, const std::vector<Sensor>& sensors) {
  const std::optional<std::size_t> leader = find_leader(sensors);
  if (leader != leader_) std::fill(headings_.begin(), headings_.end(), 0);
  leader_ = leader;
  if (leader) {
    const ExposureClock& clock = *sensors[*leader].clock;
    const std::int64_t next = clock.next_after(time);
    const Nanoseconds after = clock.start_of(next);
    const Nanoseconds before = clock.start_of(next - 1);
    origin_ = time - before < after - time ? before : after;
    return {*origin_, after - before};
  }
  if (!origin_) {
    const ExposureClock& clock = *std::find_if(sensors.begin(), sensors.end(), can_be_led)->clock;
    origin_ = clock.start_of(clock.next_after(time));
  }
  const Nanoseconds period = pace(sensors);
  *origin_ += period * std::llround(as_double(time - *origin_) / as_double(period));
  return {*origin_, period};
}

// As a sensor at the end of its range can be led one way only, the grid keeps off that by a little. Whole nanoseconds,
// so that nothing adds up where the grid moves on.
Nanoseconds AlignServo::pace(const std::vector<Sensor>& sensors) const {
  double least = 0;
  double most = 2 * as_double(nominal_);
  for (const Sensor& sensor : sensors) {
    if (!can_be_led(sensor)) continue;
    if (as_double(sensor.clock->uncertainty()) > kCertain * as_double(nominal_)) continue;
    const double rate = 1 + sensor.clock->drift();
    least = std::max(least, sensor.duration->min * rate * (1 + kRoom));
    most = std::min(most, sensor.duration->max * rate * (1 - kRoom));
  }
  const double wanted = std::max(least, std::min(as_double(nominal_), most));
  return std::max(Nanoseconds(1), rounded(wanted));
}

// How far the sensor is off, by the way round that it is led: the quicker one, which is the shorter unless the range
// leaves no room for it. Once taken it is kept to: half a period off, noise would have it turn again and again.
double AlignServo::way_to_go(std::size_t which, double off, double rate, Nanoseconds period,
                             const SettingRange& range) {
  const double whole = as_double(period);
  const double earlier = off > 0 ? off : off + whole;
  const double later = whole - earlier;
  int& heading = headings_[which];
  if (std::abs(off) <= kStraight * whole) {
    heading = 0;
    return off;
  }
  // It was moved, or the grid was.
  if ((heading < 0 ? earlier : later) > 0.75 * whole) heading = 0;
  if (heading == 0) {
    const double most = kMostNudge * whole;
    const double shorter = std::clamp(whole - range.min * rate, 1.0, most);
    const double longer = std::clamp(range.max * rate - whole, 1.0, most);
    heading = earlier / shorter <= later / longer ? -1 : 1;
  }
  return heading < 0 ? earlier : -later;
}

}  // namespace lockstep
