// SPDX-License-Identifier: MIT
// When what is written. Instants are counted from the first set that left; a sensor's exposure `index` is of instant
// index - offset. A value that is to hold at instant N is written before the sensor's exposure N + offset - delay begins,
// and after the one before has begun: as soon in that span as it is certain which side of its ends we are on.
#include <algorithm>
#include <utility>

#include "core/nanoseconds.h"
#include "core/settings_state.h"

namespace lockstep {
namespace {

// How near to the start of an exposure a write may come before it is uncertain which one it counts for: the kernel and
// the bus take their time.
constexpr Nanoseconds kLeastGuard = std::chrono::microseconds(50);
// Exposures of a sensor after which settings no longer wait for the first set to leave.
constexpr std::int64_t kWritePatience = 64;
// Instants by which changes may wait for those before them. Batches come as exposures end: where these are short and
// long by turns two changes, one for each batch, are made within one frame, and none within the next.
constexpr std::int64_t kPatienceForOthers = 1;

}  // namespace

Nanoseconds SettingsController::State::guard(const SensorSettings& sensor) const {
  const Nanoseconds most = period / 4;
  if (!sensor.clock || !sensor.clock->started()) return most;
  // It may be the exposures that are early and late, not only what is told of them.
  const Nanoseconds off = std::max(sensor.clock->uncertainty(), sensor.clock->noise());
  return std::min(std::max(4 * off, kLeastGuard), most);
}

// The first exposure that a write which is begun now is certain to come before.
std::int64_t SettingsController::State::next_exposure(const SensorSettings& sensor,
                                                      Nanoseconds now) const {
  return sensor.clock->next_after(now + sensor.lag + guard(sensor) + sensor.write_takes);
}

// While sensors stream not before it is known which of their exposures belong together; unless that is not to be had.
bool SettingsController::State::may_schedule() const {
  if (!streaming || instant) return true;
  return std::any_of(sensors.begin(), sensors.end(), [](const SensorSettings& sensor) {
    return sensor.clock->started() && sensor.clock->index() > kWritePatience;
  });
}

void SettingsController::State::schedule(Nanoseconds now) {
  if (unscheduled.empty() || !may_schedule()) return;
  const bool at_once = !streaming || !instant;
  for (const std::uint32_t revision : unscheduled) {
    const std::int64_t meets = at_once ? kAtOnce : instant_for(revision, now);
    // What holds at once does so from the next exposure on: the first of these need not share that with the last ones.
    const bool shares = !due.empty() && due.back().instant == meets &&
                        !(at_once && revision == unscheduled.front());
    if (shares) ++superseded;
    if (!at_once) last_due = meets;
    if (!due.empty() && due.back().instant == meets)
      due.back().revision = revision;
    else
      due.push_back({revision, meets});
    for (SensorSettings& sensor : sensors)
      for (PendingSettings& pending : sensor.pending)
        if (!pending.instant && pending.revision <= revision) pending.instant = meets;
    drop_superseded([meets](const PendingSettings& one) { return one.instant == meets; });
  }
  unscheduled.clear();
}

// Each revision has an instant of its own, as far as they come no faster than frames: those that do share the last one
// that a change may take, so that none has to wait for many before it.
std::int64_t SettingsController::State::instant_for(std::uint32_t revision, Nanoseconds now) const {
  std::int64_t soonest = *instant + 1;
  std::int64_t last = soonest;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    const SensorSettings& sensor = sensors[i];
    if (!sensor.active || !is_placed(sensor)) continue;
    int delay = 0;
    for (const PendingSettings& pending : sensor.pending)
      if (!pending.instant && pending.revision <= revision) delay = std::max(delay, pending.delay);
    int longest = 0;
    for (const auto& range : caps[i].ranges) longest = std::max(longest, range ? range->delay : 0);
    const std::int64_t next = next_exposure(sensor, now) - *sensor.offset;
    soonest = std::max(soonest, next + delay);
    last = std::max(last, next + longest + kPatienceForOthers);
  }
  return std::max({soonest, last_due, std::min(last_due + 1, last)});
}

// Of what is yet to be written for one instant, only the newest of each setting is wanted.
void SettingsController::State::drop_superseded(
    const std::function<bool(const PendingSettings&)>& shares) {
  for (SensorSettings& sensor : sensors) {
    SettingsChange newer;
    std::uint32_t newest = 0;
    for (auto one = sensor.pending.rbegin(); one != sensor.pending.rend(); ++one) {
      if (!shares(*one)) continue;
      newest = std::max(newest, one->revision);
      for (const Setting setting : kSettings) {
        if (!one->change[setting]) continue;
        if (std::exchange(newer[setting], one->change[setting])) {
          one->change[setting].reset();
          sensor.log.supersede(setting, one->revision);
        }
      }
    }
    std::erase_if(sensor.pending, [&](const PendingSettings& old) {
      return shares(old) && old.change.empty() && old.revision < newest;
    });
  }
}

// From when on it may be written.
std::optional<Nanoseconds> SettingsController::State::time_of(
    const SensorSettings& sensor, const PendingSettings& pending) const {
  if (!pending.instant) return std::nullopt;
  if (*pending.instant == kAtOnce || !is_placed(sensor)) return Nanoseconds::min();
  const std::int64_t before = *pending.instant + *sensor.offset - pending.delay + pending.late;
  return sensor.clock->start_of(before - 1) - sensor.lag + guard(sensor);
}

std::optional<Nanoseconds> SettingsController::State::next_write_to(
    const SensorSettings& sensor) const {
  if (!sensor.active) return std::nullopt;
  std::optional<Nanoseconds> next;
  for (const PendingSettings& pending : sensor.pending) {
    const auto time = time_of(sensor, pending);
    if (time && (!next || *time < *next)) next = time;
  }
  if (sensor.servo_due) next = Nanoseconds::min();
  return next;
}

std::optional<Nanoseconds> SettingsController::next_write() const {
  const State& state = *state_;
  if (!state.unscheduled.empty() && state.may_schedule()) return Nanoseconds::min();
  std::optional<Nanoseconds> next;
  for (const SensorSettings& sensor : state.sensors) {
    const auto time = state.next_write_to(sensor);
    if (time && (!next || *time < *next)) next = time;
  }
  return next;
}

// --- Writing ---

std::optional<SettingsController::Write> SettingsController::take_write(Nanoseconds now) {
  State& state = *state_;
  // First what is late, so that what is placed now is not taken for it.
  state.catch_up(now);
  state.schedule(now);
  for (std::size_t i = 0; i < state.sensors.size(); ++i) {
    if (!state.sensors[i].active) continue;
    if (auto write = state.take_pending(i, now)) return write;
    if (auto write = state.take_nudge(i, now)) return write;
  }
  return std::nullopt;
}

// The whole of what is to come to a sensor that is behind moves, so that its settings stay together and in order.
void SettingsController::State::catch_up(Nanoseconds now) {
  for (SensorSettings& sensor : sensors) {
    if (!sensor.active || sensor.pending.empty() || !is_placed(sensor)) continue;
    const std::int64_t next = next_exposure(sensor, now);
    std::int64_t late = 0;
    bool any = false;
    for (const PendingSettings& pending : sensor.pending) {
      if (!pending.instant || *pending.instant == kAtOnce) continue;
      const std::int64_t behind =
          next - (*pending.instant + *sensor.offset - pending.delay + pending.late);
      late = std::max(late, behind);
      any = any || (behind > 0 && !pending.change.empty());
    }
    if (late == 0) continue;
    late_writes += any;
    for (PendingSettings& pending : sensor.pending) {
      if (!pending.instant || *pending.instant == kAtOnce) continue;
      pending.late += late;
      last_due = std::max(last_due, *pending.instant + pending.late);
    }
  }
}

std::optional<SettingsController::Write> SettingsController::State::take_pending(std::size_t index,
                                                                                 Nanoseconds now) {
  SensorSettings& sensor = sensors[index];
  const auto first = std::find_if(sensor.pending.begin(), sensor.pending.end(),
                                  [&](const PendingSettings& pending) {
                                    const auto time = time_of(sensor, pending);
                                    return time && *time <= now;
                                  });
  if (first == sensor.pending.end()) return std::nullopt;
  Write write{index, first->change, std::nullopt, first->revision};
  const std::uint32_t revision = first->revision;
  sensor.pending.erase(first);
  // What is to be written at once anyway goes in one write.
  for (auto other = sensor.pending.begin(); other != sensor.pending.end();) {
    if (other->revision == revision && (other->instant == kAtOnce || !is_placed(sensor))) {
      write.change.merge(other->change);
      other = sensor.pending.erase(other);
    } else {
      ++other;
    }
  }
  const bool more =
      std::any_of(sensor.pending.begin(), sensor.pending.end(),
                  [&](const PendingSettings& other) { return other.revision == revision; });
  if (!more) write.completes = revision;
  if (write.change[Setting::frame_duration]) {
    nominal = rounded(*write.change[Setting::frame_duration]);
    if (servo) servo->set_nominal(nominal);
  }
  return write;
}

// Holds a free-running sensor to the others: once a frame, for the first exposure whose duration can still be changed.
std::optional<SettingsController::Write> SettingsController::State::take_nudge(std::size_t index,
                                                                               Nanoseconds now) {
  SensorSettings& sensor = sensors[index];
  if (!std::exchange(sensor.servo_due, false) || !sensor.clock->started()) return std::nullopt;
  if (!servo) {
    const double nominal_ns = static_cast<double>(nominal.count());
    const double asked = sensor.asked[Setting::frame_duration].value_or(nominal_ns);
    return Write{index, SettingsChange().set(Setting::frame_duration, asked), std::nullopt, 0};
  }
  const auto& range = caps[index][Setting::frame_duration];
  std::vector<AlignServo::Sensor> all;
  for (std::size_t i = 0; i < sensors.size(); ++i)
    all.push_back({sensors[i].clock ? &*sensors[i].clock : nullptr,
                   caps[i][Setting::frame_duration], sensors[i].active});
  const std::int64_t from = next_exposure(sensor, now) + (range ? range->delay : 0);
  const Nanoseconds present = sensor.log.duration_at(from, sensor.duration);
  const auto duration = servo->duration_for(index, from, present, all);
  if (!duration) return std::nullopt;
  return Write{index, SettingsChange().set(Setting::frame_duration, *duration), std::nullopt, 0};
}

}  // namespace lockstep
