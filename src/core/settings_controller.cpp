// SPDX-License-Identifier: MIT
// Instants are counted from the first set that left; a sensor's exposure `index` is of instant index - offset. A value
// that is to hold at instant N is written before the sensor's exposure N + offset - delay begins, and after the one
// before has begun: as soon in that span as it is certain which side of its ends we are on.
#include "core/settings_controller.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/align_servo.h"
#include "core/settings_log.h"

namespace lockstep {
namespace {

constexpr std::int64_t kAtOnce = SettingsLog::kAlways;
// How near to the start of an exposure a write may come before it is uncertain which one it counts for: the kernel and
// the bus take their time.
constexpr Nanoseconds kLeastGuard = std::chrono::microseconds(50);
// Exposures of a sensor after which settings no longer wait for the first set to leave.
constexpr std::int64_t kPatience = 64;
// Exposures that a frame may come late by and still be told what it was made with.
constexpr std::int64_t kRemembered = 2 * kMaxControlDelay;

struct Pending {
  std::uint32_t revision = 0;
  SettingsChange change;  // its settings have one delay; empty: only to complete the revision
  int delay = 0;
  std::int64_t instant = kAtOnce;  // at which it is to hold
  std::int64_t late = 0;           // exposures that it is behind that
};

struct SensorState {
  SensorState(const SettingsCaps& sensor_caps, Nanoseconds frame_period)
      : log(sensor_caps), duration(frame_period) {}

  SettingsLog log;
  Nanoseconds duration;  // where none was written
  std::optional<ExposureClock> clock;
  std::optional<std::int64_t> offset;
  std::vector<Pending> pending;  // by revision, then longest delay first
  SettingsChange asked;          // last, and not refused
  bool active = true;
  bool told_lacks = false;
  bool servo_due = false;
  // How much later than the start of exposure its capture times are: as a rule, and at most.
  Nanoseconds lag{0};
  Nanoseconds most_lag{0};
  // What was asked for while it was lost.
  SettingsChange missed;
  Nanoseconds write_takes{0};  // on average
};

}  // namespace

struct SettingsController::State {
  State(std::vector<SettingsCaps> sensor_caps, Nanoseconds frame_period)
      : caps(std::move(sensor_caps)),
        period(frame_period),
        nominal(frame_period),
        wanted(caps.size()) {
    for (const SettingsCaps& one : caps) sensors.emplace_back(one, period);
  }

  std::vector<SettingsCaps> caps;
  Nanoseconds period;
  Nanoseconds nominal;  // frame duration that is asked for
  std::vector<Settings> wanted;
  std::vector<SensorState> sensors;
  std::uint32_t latest = 0;
  std::vector<std::uint32_t> unscheduled;
  struct Due {
    std::uint32_t revision;
    std::int64_t instant;
  };
  std::vector<Due> due;  // rising in both; the first may be long past
  bool streaming = false;
  std::optional<std::int64_t> instant;  // of the set that left last
  std::int64_t last_due = kAtOnce;
  std::uint64_t late_writes = 0;
  std::vector<Complaint> complaints;
  std::optional<AlignServo> servo;

  Nanoseconds guard(const SensorState& sensor) const;
  bool is_placed(const SensorState& sensor) const {
    return sensor.clock && sensor.clock->started() && sensor.offset;
  }
  std::int64_t next_exposure(const SensorState& sensor, Nanoseconds now) const;
  void expand(std::size_t index, const SettingsChange& change, std::uint32_t revision);
  void add_pending(std::size_t index, const SettingsChange& news, std::uint32_t revision);
  bool may_schedule() const;
  void schedule(Nanoseconds now);
  std::optional<Nanoseconds> time_of(const SensorState& sensor, const Pending& pending) const;
  std::optional<Nanoseconds> next_write_to(const SensorState& sensor) const;
  std::optional<Write> take_pending(std::size_t index, Nanoseconds now);
  std::optional<Write> take_nudge(std::size_t index, Nanoseconds now);
  void place(SensorState& sensor, std::size_t index);
  std::uint32_t due_at(const SensorState& sensor, std::int64_t index) const;
  void take_up_missed(std::size_t index);
  void take_up(const Write& write, Setting setting, SettingsLog::Entry entry);
  void refuse(std::size_t index, const Write& write, const Error& error);
};

SettingsController::SettingsController(std::vector<SettingsCaps> caps, Nanoseconds frame_period,
                                       std::uint32_t latest_revision)
    : state_(std::make_unique<State>(std::move(caps), frame_period)) {
  state_->latest = latest_revision;
}

SettingsController::~SettingsController() = default;
SettingsController::SettingsController(SettingsController&&) noexcept = default;
SettingsController& SettingsController::operator=(SettingsController&&) noexcept = default;

// --- Asking ---

Result<std::uint32_t> SettingsController::request(std::span<const SettingsChange> changes,
                                                  std::span<const std::string> names) {
  State& state = *state_;
  const std::size_t num_sensors = state.sensors.size();
  if (changes.size() != 1 && changes.size() != num_sensors)
    return Error{Errc::invalid_argument, 0,
                 "settings for " + std::to_string(changes.size()) +
                     " sensors, wanted 1 for all or " + std::to_string(num_sensors)};
  const bool for_all = changes.size() == 1;
  bool any = changes[0].empty() && for_all;
  for (std::size_t i = 0; i < num_sensors; ++i) {
    SettingsChange possible = changes[for_all ? 0 : i];
    // What is for all is for those that have it.
    for (const Setting setting : kSettings)
      if (for_all && !state.caps[i][setting]) possible[setting].reset();
    any = any || !possible.empty() || !for_all;
    if (auto valid = check(possible, state.caps[i]); !valid) {
      Error error = valid.error();
      error.what = "set sensor " + std::to_string(i) + " (" + names[i] + "): " + error.what;
      return error;
    }
  }
  if (!any)
    return Error{Errc::not_supported, 0,
                 "set " + to_string(changes[0]) + ": no sensor has a control for it"};
  const std::uint32_t revision = ++state.latest;
  for (std::size_t i = 0; i < num_sensors; ++i) state.expand(i, changes[for_all ? 0 : i], revision);
  state.unscheduled.push_back(revision);
  return revision;
}

// What one sensor has to be written for a revision, by how long it takes.
void SettingsController::State::expand(std::size_t index, const SettingsChange& change,
                                       std::uint32_t revision) {
  SensorState& sensor = sensors[index];
  std::string lacks;
  SettingsChange news;
  for (const Setting setting : kSettings) {
    if (!change[setting]) continue;
    const auto& range = caps[index][setting];
    if (!range) {
      lacks += (lacks.empty() ? "" : ", ") + std::string(to_string(setting));
      sensor.log.ask(setting, revision);
      continue;
    }
    const double value = nearest(*range, *change[setting]);
    if (sensor.asked[setting] == value) continue;
    news[setting] = value;
    // Of what is asked while it is lost the first and, once it is back, the last.
    if (!sensor.missed[setting]) sensor.log.ask(setting, revision);
  }
  if (!lacks.empty() && !std::exchange(sensor.told_lacks, true))
    complaints.push_back(
        {index,
         {Errc::not_supported, 0,
          "no control of " + lacks +
              (caps[index].missing.empty() ? "" : " (" + caps[index].missing + ")")}});
  sensor.asked.merge(news);
  apply_to(wanted[index], news);
  if (news[Setting::frame_duration]) {
    nominal = Nanoseconds(std::llround(*news[Setting::frame_duration]));
    if (servo) servo->set_nominal(nominal);
  }
  if (!sensor.active) {
    sensor.missed.merge(news);
    return;
  }
  add_pending(index, news, revision);
}

void SettingsController::State::add_pending(std::size_t index, const SettingsChange& news,
                                            std::uint32_t revision) {
  SensorState& sensor = sensors[index];
  const std::size_t before = sensor.pending.size();
  for (int delay = kMaxControlDelay; delay >= 0; --delay) {
    SettingsChange part;
    for (const Setting setting : kSettings)
      if (news[setting] && caps[index][setting]->delay == delay) part[setting] = news[setting];
    if (!part.empty()) sensor.pending.push_back({revision, part, delay, kAtOnce, 0});
  }
  if (sensor.pending.size() == before) sensor.pending.push_back({revision, {}, 0, kAtOnce, 0});
}

// --- When ---

Nanoseconds SettingsController::State::guard(const SensorState& sensor) const {
  const Nanoseconds most = period / 4;
  if (!sensor.clock || !sensor.clock->started()) return most;
  // It may be the exposures that are early and late, not only what is told of them.
  const Nanoseconds off = std::max(sensor.clock->uncertainty(), sensor.clock->noise());
  return std::min(std::max(4 * off, kLeastGuard), most);
}

// The first exposure that a write which is begun now is certain to come before.
std::int64_t SettingsController::State::next_exposure(const SensorState& sensor,
                                                      Nanoseconds now) const {
  return sensor.clock->next_after(now + sensor.lag + guard(sensor) + sensor.write_takes);
}

// While sensors stream not before it is known which of their exposures belong together; unless that is not to be had.
bool SettingsController::State::may_schedule() const {
  if (!streaming || instant) return true;
  return std::any_of(sensors.begin(), sensors.end(), [](const SensorState& sensor) {
    return sensor.clock->started() && sensor.clock->index() > kPatience;
  });
}

void SettingsController::State::schedule(Nanoseconds now) {
  if (unscheduled.empty() || !may_schedule()) return;
  for (const std::uint32_t revision : unscheduled) {
    std::int64_t meets = kAtOnce;
    if (streaming && instant) {
      meets = std::max(*instant, last_due) + 1;
      for (const SensorState& sensor : sensors) {
        if (!sensor.active || !is_placed(sensor)) continue;
        int delay = 0;
        for (const Pending& pending : sensor.pending)
          if (pending.revision == revision) delay = std::max(delay, pending.delay);
        meets = std::max(meets, next_exposure(sensor, now) + delay - *sensor.offset);
      }
      last_due = meets;
    }
    due.push_back({revision, meets});
    for (SensorState& sensor : sensors)
      for (Pending& pending : sensor.pending)
        if (pending.revision == revision) pending.instant = meets;
  }
  unscheduled.clear();
}

// From when on it may be written.
std::optional<Nanoseconds> SettingsController::State::time_of(const SensorState& sensor,
                                                              const Pending& pending) const {
  if (std::find(unscheduled.begin(), unscheduled.end(), pending.revision) != unscheduled.end())
    return std::nullopt;
  if (pending.instant == kAtOnce || !is_placed(sensor)) return Nanoseconds::min();
  const std::int64_t before = pending.instant + *sensor.offset - pending.delay + pending.late;
  return sensor.clock->start_of(before - 1) - sensor.lag + guard(sensor);
}

std::optional<Nanoseconds> SettingsController::State::next_write_to(
    const SensorState& sensor) const {
  if (!sensor.active) return std::nullopt;
  std::optional<Nanoseconds> next;
  for (const Pending& pending : sensor.pending) {
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
  for (const SensorState& sensor : state.sensors) {
    const auto time = state.next_write_to(sensor);
    if (time && (!next || *time < *next)) next = time;
  }
  return next;
}

// --- Writing ---

std::optional<SettingsController::Write> SettingsController::take_write(Nanoseconds now) {
  State& state = *state_;
  state.schedule(now);
  for (std::size_t i = 0; i < state.sensors.size(); ++i) {
    if (!state.sensors[i].active) continue;
    if (auto write = state.take_pending(i, now)) return write;
    if (auto write = state.take_nudge(i, now)) return write;
  }
  return std::nullopt;
}

std::optional<SettingsController::Write> SettingsController::State::take_pending(std::size_t index,
                                                                                 Nanoseconds now) {
  SensorState& sensor = sensors[index];
  const auto first =
      std::find_if(sensor.pending.begin(), sensor.pending.end(), [&](const Pending& pending) {
        const auto time = time_of(sensor, pending);
        return time && *time <= now;
      });
  if (first == sensor.pending.end()) return std::nullopt;
  if (first->instant != kAtOnce && is_placed(sensor)) {
    const std::int64_t before = first->instant + *sensor.offset - first->delay + first->late;
    const std::int64_t late = next_exposure(sensor, now) - before;
    if (late > 0) {
      // The whole of what is to come to this sensor moves, so that its settings stay together and in order.
      if (!first->change.empty()) ++late_writes;
      for (Pending& pending : sensor.pending) pending.late += late;
      return take_pending(index, now);
    }
  }
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
  const bool more = std::any_of(sensor.pending.begin(), sensor.pending.end(),
                                [&](const Pending& other) { return other.revision == revision; });
  if (!more) write.completes = revision;
  return write;
}

// Holds a free-running sensor to the others: once a frame, for the first exposure whose duration can still be changed.
std::optional<SettingsController::Write> SettingsController::State::take_nudge(std::size_t index,
                                                                               Nanoseconds now) {
  SensorState& sensor = sensors[index];
  if (!std::exchange(sensor.servo_due, false) || !servo || !sensor.clock->started())
    return std::nullopt;
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

void SettingsController::written(const Write& write, const Result<SettingsChange>& taken,
                                 Nanoseconds begun, Nanoseconds done) {
  State& state = *state_;
  SensorState& sensor = state.sensors[write.sensor];
  sensor.write_takes += (done - begun - sensor.write_takes) / 8;
  if (!taken && taken.error().code == Errc::device_lost) {
    sensor.missed.merge(write.change);
    return;
  }
  if (!taken) {
    state.refuse(write.sensor, write, taken.error());
    return;
  }
  for (const Setting setting : kSettings) {
    const auto& asked = write.change[setting];
    if (!asked && !(*taken)[setting]) continue;
    SettingsLog::Entry entry;
    entry.value = (*taken)[setting].value_or(asked.value_or(0));
    entry.revision = write.revision;
    entry.begun = begun;
    entry.done = done;
    entry.placed = !state.streaming;
    state.take_up(write, setting, entry);
  }
  state.place(sensor, write.sensor);
}

// One value that a driver took, or changed by itself where another asks for it, as with exposures that a shorter frame
// makes shorter.
void SettingsController::State::take_up(const Write& write, Setting setting,
                                        SettingsLog::Entry entry) {
  SensorState& sensor = sensors[write.sensor];
  const auto& asked = write.change[setting];
  if (asked && write.revision == 0) {
    sensor.log.add_nudge(setting, entry);
    return;
  }
  // A driver may round somewhat more than it says it does.
  const auto& range = caps[write.sensor][setting];
  const double wanted_value = asked.value_or(sensor.asked[setting].value_or(entry.value));
  const double rounding = std::max(range ? range->step : 0, 0.01 * wanted_value);
  entry.met = std::abs(entry.value - wanted_value) <= rounding;
  if (asked)
    sensor.log.add(setting, entry);
  else
    sensor.log.add_nudge(setting, entry);
  const auto change = SettingsChange().set(setting, entry.value);
  apply_to(wanted[write.sensor], change);
  if (entry.met) return;
  sensor.asked[setting].reset();
  complaints.push_back({write.sensor,
                        {Errc::invalid_argument, 0,
                         "set " + to_string(SettingsChange().set(setting, wanted_value)) +
                             ", the driver took " + to_string(change)}});
}

void SettingsController::State::refuse(std::size_t index, const Write& write, const Error& error) {
  SensorState& sensor = sensors[index];
  if (write.revision == 0) return;  // A nudge: the next frame tries again.
  for (const Setting setting : kSettings) {
    if (!write.change[setting]) continue;
    sensor.log.refuse(setting, write.revision);
    sensor.asked[setting].reset();
  }
  complaints.push_back({index, error});
}

// Where the clock runs, tells which exposures the last writes took effect between.
void SettingsController::State::place(SensorState& sensor, std::size_t index) {
  if (!sensor.clock || !sensor.clock->started()) return;
  sensor.log.place([&](Setting setting, SettingsLog::Entry& entry) {
    const auto& range = caps[index][setting];
    const int delay = range ? range->delay : 0;
    const Nanoseconds around = guard(sensor);
    entry.earliest = sensor.clock->next_after(entry.begun - around) + delay;
    entry.from = sensor.clock->next_after(entry.done + sensor.most_lag + around) + delay;
    if (setting != Setting::frame_duration || entry.earliest == entry.from) return;
    const double before =
        static_cast<double>(sensor.log.duration_at(entry.earliest - 1, sensor.duration).count());
    sensor.clock->disturb(Nanoseconds(std::llround(std::abs(entry.value - before))));
  });
}

// --- What frames tell ---

SettingsController::Exposed SettingsController::exposed(std::size_t index, Nanoseconds captured,
                                                        ReferencePoint reference,
                                                        const Settings& reported) {
  State& state = *state_;
  SensorState& sensor = state.sensors[index];
  if (state.caps[index].reports && reported.frame_duration > Nanoseconds(0) &&
      sensor.log.duration_at(SettingsLog::kAlways, Nanoseconds(0)) == Nanoseconds(0))
    sensor.duration = reported.frame_duration;
  const bool starts = reference == ReferencePoint::start_of_exposure;
  // An exposure and a readout lie between, each of a frame period at most.
  sensor.lag = starts ? Nanoseconds(0) : state.period;
  sensor.most_lag = 2 * sensor.lag;
  Exposed exposed;
  exposed.index = sensor.clock->observe(captured);
  state.place(sensor, index);
  if (starts) sensor.log.witness(exposed.index, captured, state.guard(sensor) / 2);
  const auto verdict = sensor.log.at(exposed.index, state.due_at(sensor, exposed.index), reported);
  exposed.settings = verdict.settings;
  exposed.revision = verdict.revision;
  exposed.state = verdict.state;
  sensor.servo_due = state.servo.has_value();
  sensor.log.forget_before(exposed.index - kRemembered);
  return exposed;
}

// The newest revision that an exposure may be expected to have.
std::uint32_t SettingsController::State::due_at(const SensorState& sensor,
                                                std::int64_t index) const {
  std::uint32_t newest = 0;
  for (const Due& one : due)
    if (one.instant == kAtOnce || !sensor.offset || one.instant <= index - *sensor.offset)
      newest = one.revision;
  return newest;
}

void SettingsController::left_together(std::span<const std::optional<std::int64_t>> indexes) {
  State& state = *state_;
  // The step that most sensors agree on; where they differ one lost or gained a frame on the others.
  std::vector<std::int64_t> candidates;
  for (std::size_t i = 0; i < indexes.size(); ++i)
    if (indexes[i] && state.sensors[i].offset)
      candidates.push_back(*indexes[i] - *state.sensors[i].offset);
  std::sort(candidates.begin(), candidates.end());
  std::int64_t instant = state.instant ? *state.instant + 1 : 0;
  std::size_t most = 0;
  for (std::size_t first = 0; first < candidates.size();) {
    const std::size_t last = static_cast<std::size_t>(
        std::upper_bound(candidates.begin(), candidates.end(), candidates[first]) -
        candidates.begin());
    if (last - first > most && (!state.instant || candidates[first] > *state.instant)) {
      most = last - first;
      instant = candidates[first];
    }
    first = last;
  }
  state.instant = instant;
  for (std::size_t i = 0; i < indexes.size(); ++i)
    if (indexes[i]) state.sensors[i].offset = *indexes[i] - instant;
  while (state.due.size() > 1 && state.due[1].instant < instant - kRemembered)
    state.due.erase(state.due.begin());
}

// --- Life ---

void SettingsController::restart() {
  State& state = *state_;
  state.streaming = false;
  state.instant.reset();
  state.last_due = kAtOnce;
  if (!state.due.empty()) state.due = {{state.due.back().revision, kAtOnce}};
  for (SensorState& sensor : state.sensors) {
    sensor.clock.emplace([&log = sensor.log, &otherwise = sensor.duration](std::int64_t index) {
      return log.duration_at(index, otherwise);
    });
    sensor.offset.reset();
    sensor.active = true;
    sensor.servo_due = false;
    sensor.log.settle();
    state.take_up_missed(static_cast<std::size_t>(&sensor - state.sensors.data()));
    for (Pending& pending : sensor.pending) pending.instant = kAtOnce;
  }
}

void SettingsController::begin() { state_->streaming = true; }

void SettingsController::lost(std::size_t index) {
  SensorState& sensor = state_->sensors[index];
  sensor.active = false;
  sensor.offset.reset();
  sensor.servo_due = false;
}

void SettingsController::back(std::size_t index) {
  State& state = *state_;
  SensorState& sensor = state.sensors[index];
  sensor.active = true;
  if (sensor.clock) sensor.clock->restart();
  sensor.log.settle();
  state.take_up_missed(index);
}

// What was asked of a sensor while it was lost, in one go under the newest revision.
void SettingsController::State::take_up_missed(std::size_t index) {
  SensorState& sensor = sensors[index];
  const SettingsChange missed = std::exchange(sensor.missed, {});
  if (missed.empty()) return;
  for (const Setting setting : kSettings)
    if (missed[setting]) sensor.log.ask(setting, latest);
  add_pending(index, missed, latest);
}

void SettingsController::set_aligned(bool aligned) {
  State& state = *state_;
  if (aligned == state.servo.has_value()) return;
  if (aligned)
    state.servo.emplace(state.sensors.size(), state.nominal);
  else
    state.servo.reset();
}

const std::vector<SettingsCaps>& SettingsController::caps() const { return state_->caps; }

const std::vector<Settings>& SettingsController::wanted() const { return state_->wanted; }

std::uint32_t SettingsController::latest_revision() const { return state_->latest; }

std::uint64_t SettingsController::late_writes() const { return state_->late_writes; }

std::vector<SettingsController::Complaint> SettingsController::take_complaints() {
  return std::exchange(state_->complaints, {});
}

}  // namespace lockstep
