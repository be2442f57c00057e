// SPDX-License-Identifier: MIT
#include "core/settings_controller.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/nanoseconds.h"
#include "core/settings_state.h"

namespace lockstep {
namespace {

// Exposures that a frame may come late by and still be told what it was made with.
constexpr std::int64_t kRememberedExposures = 2 * kMaxControlDelay;

}  // namespace

SettingsController::SettingsController(std::vector<SettingsCaps> caps, Nanoseconds frame_period,
                                       std::uint32_t latest_revision)
    : state_(std::make_unique<State>(std::move(caps), frame_period)) {
  state_->latest = latest_revision;
}

SettingsController::~SettingsController() = default;
SettingsController::SettingsController(SettingsController&&) noexcept = default;
SettingsController& SettingsController::operator=(SettingsController&&) noexcept = default;

// --- Asking ---

Result<void> SettingsController::check(std::size_t sensor, const SettingsChange& change) const {
  return state_->check_change(sensor, change);
}

Result<void> SettingsController::State::check_change(std::size_t index,
                                                     const SettingsChange& change) const {
  if (auto valid = lockstep::check(change, caps[index]); !valid) return valid;
  const SensorSettings& sensor = sensors[index];
  if (!change[Setting::exposure] && !change[Setting::frame_duration]) return {};
  SettingsChange after = sensor.asked;
  after.merge(change);
  const auto& exposure = after[Setting::exposure];
  const auto& own_frame = caps[index][Setting::frame_duration];
  double frame = after[Setting::frame_duration].value_or(as_double(frame_of(sensor)));
  if (servo && own_frame) frame *= 1 - AlignServo::kMostNudge;
  // What a frame rate or a step round away is no matter.
  if (!exposure || *exposure <= frame + std::max(caps[index][Setting::exposure]->step / 2, 1.0))
    return {};
  return Error{Errc::invalid_argument, 0,
               to_string(SettingsChange().set(Setting::exposure, *exposure)) + ", longer than " +
                   to_string(SettingsChange().set(Setting::frame_duration, frame)) +
                   (!own_frame                  ? ", which cannot be set; take a lower frame rate"
                    : change[Setting::exposure] ? "; ask for a longer frame-duration along with it"
                                                : "; ask for a shorter exposure along with it")};
}

// The frame duration that a sensor has in the end if it is not asked for another.
Nanoseconds SettingsController::State::frame_of(const SensorSettings& sensor) const {
  if (const auto& asked = sensor.asked[Setting::frame_duration]) return rounded(*asked);
  const auto written = sensor.log.last_value(Setting::frame_duration);
  return written && !servo ? rounded(*written) : sensor.duration;
}

Result<void> SettingsController::check(std::span<const SettingsChange> changes,
                                       std::span<const std::string> names, For whom) const {
  const State& state = *state_;
  const std::size_t num_sensors = state.sensors.size();
  if (changes.size() != 1 && changes.size() != num_sensors)
    return Error{Errc::invalid_argument, 0,
                 "settings for " + std::to_string(changes.size()) +
                     " sensors, wanted 1 for all or " + std::to_string(num_sensors)};
  const bool for_all = changes.size() == 1;
  const bool lenient = for_all || whom == For::those_that_can;
  SettingsChange nobody_has;
  bool any = !lenient;
  for (std::size_t i = 0; i < num_sensors; ++i) {
    const SettingsChange& change = changes[for_all ? 0 : i];
    SettingsChange possible = change;
    for (const Setting setting : kSettings)
      if (lenient && !state.caps[i][setting]) possible[setting].reset();
    any = any || !possible.empty() || change.empty();
    if (possible.empty()) nobody_has.merge(change);
    if (auto valid = check(i, possible); !valid) {
      Error error = valid.error();
      error.what = "set sensor " + std::to_string(i) + " (" + names[i] + "): " + error.what;
      return error;
    }
  }
  if (any) return {};
  return Error{Errc::not_supported, 0,
               "set " + to_string(nobody_has) + ": no sensor has a control for it"};
}

Result<std::uint32_t> SettingsController::request(std::span<const SettingsChange> changes,
                                                  std::span<const std::string> names, For whom) {
  if (auto valid = check(changes, names, whom); !valid) return valid.error();
  State& state = *state_;
  const std::uint32_t revision = ++state.latest;
  for (std::size_t i = 0; i < state.sensors.size(); ++i)
    state.expand(i, changes[changes.size() == 1 ? 0 : i], revision);
  state.add_unscheduled(revision);
  return revision;
}

// What one sensor has to be written for a revision, by how long it takes.
void SettingsController::State::expand(std::size_t index, const SettingsChange& change,
                                       std::uint32_t revision) {
  SensorSettings& sensor = sensors[index];
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
  if (!sensor.active) {
    sensor.missed.merge(news);
    return;
  }
  add_pending(index, news, revision, std::nullopt);
}

// However many are asked while nobody writes, no more wait than can have instants of their own.
void SettingsController::State::add_unscheduled(std::uint32_t revision) {
  if (unscheduled.size() < kMostUnscheduled) {
    unscheduled.push_back(revision);
    return;
  }
  ++superseded;
  unscheduled.back() = revision;
  const std::uint32_t before = unscheduled[unscheduled.size() - 2];
  drop_superseded(
      [before](const PendingSettings& one) { return !one.instant && one.revision > before; });
}

void SettingsController::State::add_pending(std::size_t index, const SettingsChange& news,
                                            std::uint32_t revision,
                                            std::optional<std::int64_t> instant_of_part) {
  SensorSettings& sensor = sensors[index];
  const std::size_t before = sensor.pending.size();
  for (int delay = kMaxControlDelay; delay >= 0; --delay) {
    SettingsChange part;
    for (const Setting setting : kSettings)
      if (news[setting] && caps[index][setting]->delay == delay) part[setting] = news[setting];
    if (!part.empty()) sensor.pending.push_back({revision, part, delay, instant_of_part, 0});
  }
  if (sensor.pending.size() == before)
    sensor.pending.push_back({revision, {}, 0, instant_of_part, 0});
}

// --- What drivers did ---

void SettingsController::written(const Write& write, const Result<SettingsChange>& taken,
                                 Nanoseconds begun, Nanoseconds done) {
  State& state = *state_;
  SensorSettings& sensor = state.sensors[write.sensor];
  sensor.write_takes += (done - begun - sensor.write_takes) / 8;
  if (!taken && taken.error().code == Errc::device_lost) {
    // Before what is newer, once it is back; a nudge is made anew.
    if (write.revision > 0)
      sensor.pending.insert(sensor.pending.begin(), {write.revision, write.change, 0, kAtOnce, 0});
    lost(write.sensor);
    return;
  }
  if (!taken) {
    state.refuse(write, taken.error(), begun, done);
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
  state.learn_lag(sensor);
  state.place(sensor, write.sensor);
}

// One value that a driver took, or changed by itself where another asks for it, as with exposures that a shorter frame
// makes shorter.
void SettingsController::State::take_up(const Write& write, Setting setting,
                                        SettingsLog::Entry entry) {
  SensorSettings& sensor = sensors[write.sensor];
  const auto& asked = write.change[setting];
  if (asked && write.revision == 0) {
    sensor.log.add_nudge(setting, entry);
    sensor.nudged = servo.has_value();
    return;
  }
  // A driver may round somewhat more than it says it does.
  const auto& range = caps[write.sensor][setting];
  const double wanted_value = asked.value_or(sensor.log.last_value(setting).value_or(entry.value));
  const double rounding = std::max(range ? range->step : 0, 0.01 * wanted_value);
  entry.met = std::abs(entry.value - wanted_value) <= rounding;
  if (asked)
    sensor.log.add(setting, entry);
  else
    sensor.log.add_nudge(setting, entry);
  const auto change = SettingsChange().set(setting, entry.value);
  const bool newer_comes = std::any_of(
      sensor.pending.begin(), sensor.pending.end(),
      [&](const PendingSettings& pending) { return pending.change[setting].has_value(); });
  if (!newer_comes) apply_to(wanted[write.sensor], change);
  if (entry.met) return;
  if (!newer_comes) sensor.asked[setting].reset();
  complain(write.sensor, setting, wanted_value, entry.value, ", the driver took ");
}

// Of exposures that come out shorter it is said what they had to fit into.
void SettingsController::State::complain(std::size_t index, Setting setting, double wanted_value,
                                         double value, const char* but) {
  std::string what = "set " + to_string(SettingsChange().set(setting, wanted_value)) + but +
                     to_string(SettingsChange().set(setting, value));
  if (setting == Setting::exposure && value < wanted_value)
    what += " within " +
            to_string(SettingsChange().set(Setting::frame_duration, frame_of(sensors[index])));
  complaints.push_back({index, {Errc::invalid_argument, 0, std::move(what)}});
}

// Of values that a driver does not take the ones before hold, if it says so. Else some may have been done: from then on
// it is not known what the sensor has, until it is asked again.
void SettingsController::State::refuse(const Write& write, const Error& error, Nanoseconds begun,
                                       Nanoseconds done) {
  SensorSettings& sensor = sensors[write.sensor];
  if (write.revision == 0) return;  // A nudge: the next frame tries again.
  const bool stays = error.code == Errc::invalid_argument || error.code == Errc::not_supported;
  for (const Setting setting : kSettings) {
    if (!write.change[setting]) continue;
    sensor.log.refuse(setting, write.revision);
    sensor.asked[setting].reset();
    if (stays) continue;
    SettingsLog::Entry unknown;
    unknown.value = sensor.log.last_value(setting).value_or(*write.change[setting]);
    unknown.revision = write.revision;
    unknown.met = false;
    unknown.begun = begun;
    unknown.done = done;
    unknown.placed = !streaming;
    sensor.log.add(setting, unknown);
  }
  place(sensor, write.sensor);
  Error complaint = error;
  if (error.code == Errc::invalid_argument && write.change[Setting::exposure])
    complaint.what +=
        " (" + to_string(SettingsChange().set(Setting::frame_duration, frame_of(sensor))) + ")";
  complaints.push_back({write.sensor, std::move(complaint)});
}

// Where the clock runs, tells which exposures the last writes took effect between.
void SettingsController::State::place(SensorSettings& sensor, std::size_t index) {
  if (!sensor.clock || !sensor.clock->started()) return;
  sensor.log.place([&](Setting setting, SettingsLog::Entry& entry) {
    const auto& range = caps[index][setting];
    const int delay = range ? range->delay : 0;
    const Nanoseconds around = guard(sensor);
    entry.earliest = sensor.clock->next_after(entry.begun - around) + delay;
    // What is written before the first frame of a camera that is back holds from that on at the soonest.
    entry.from = std::max(sensor.clock->next_after(entry.done + sensor.most_lag + around),
                          sensor.first_index) +
                 delay;
    if (setting != Setting::frame_duration || entry.earliest == entry.from) return;
    const double before =
        static_cast<double>(sensor.log.duration_at(entry.earliest - 1, sensor.duration).count());
    sensor.clock->disturb(rounded(std::abs(entry.value - before)));
  });
}

// --- What frames tell ---

SettingsController::Exposed SettingsController::exposed(std::size_t index, Nanoseconds captured,
                                                        ReferencePoint reference,
                                                        const Settings& reported) {
  State& state = *state_;
  SensorSettings& sensor = state.sensors[index];
  if (state.caps[index].reports && reported.frame_duration > Nanoseconds(0) &&
      sensor.log.duration_at(SettingsLog::kAlways, Nanoseconds(0)) == Nanoseconds(0))
    sensor.duration = reported.frame_duration;
  const bool starts = reference == ReferencePoint::start_of_exposure;
  sensor.starts = starts;
  state.learn_lag(sensor);
  const bool first = !sensor.clock->started();
  Exposed exposed;
  exposed.index = sensor.clock->observe(captured);
  if (first) sensor.first_index = sensor.last_counted = exposed.index;
  state.place(sensor, index);
  const bool is_counted =
      !sensor.clock->doubts() && sensor.log.can_count(sensor.last_counted, exposed.index);
  const Nanoseconds around = state.guard(sensor) / 2;
  if (is_counted) {
    if (!sensor.counts) sensor.log.recount(sensor.last_counted, exposed.index);
    sensor.log.witness(exposed.index, captured - sensor.most_lag - around, captured + around);
    sensor.last_counted = exposed.index;
  }
  sensor.counts = is_counted;
  const auto verdict =
      sensor.log.at({exposed.index, is_counted}, state.due_at(sensor, exposed.index), reported);
  exposed.settings = verdict.settings;
  exposed.state = verdict.state;
  if (verdict.state == SettingsState::settled) sensor.settled = verdict.revision;
  exposed.revision = sensor.settled;
  const auto& contradiction = verdict.contradiction;
  if (contradiction && contradiction->revision > sensor.contradicted) {
    sensor.contradicted = contradiction->revision;
    state.complain(index, contradiction->setting, contradiction->taken, contradiction->reported,
                   ", frames report ");
  }
  sensor.servo_due = state.servo.has_value();
  sensor.log.forget_before(exposed.index - kRememberedExposures);
  return exposed;
}

// Where capture times are the end of a frame an exposure and a readout lie between, each of a frame duration at most.
void SettingsController::State::learn_lag(SensorSettings& sensor) const {
  Nanoseconds longest = std::max({period, sensor.duration, sensor.log.longest_duration()});
  for (const PendingSettings& pending : sensor.pending)
    if (const auto& duration = pending.change[Setting::frame_duration])
      longest = std::max(longest, rounded(*duration));
  sensor.lag = sensor.starts ? Nanoseconds(0) : longest;
  sensor.most_lag = 2 * sensor.lag;
}

// The newest revision that an exposure may be expected to have.
std::uint32_t SettingsController::State::due_at(const SensorSettings& sensor,
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
  while (state.due.size() > 1 && state.due[1].instant < instant - kRememberedExposures)
    state.due.erase(state.due.begin());
}

// --- Life ---

void SettingsController::restart() {
  State& state = *state_;
  state.streaming = false;
  state.instant.reset();
  state.last_due = kAtOnce;
  if (!state.due.empty()) state.due = {{state.due.back().revision, kAtOnce}};
  for (SensorSettings& sensor : state.sensors) {
    sensor.clock.emplace([&log = sensor.log, &otherwise = sensor.duration](std::int64_t index) {
      return log.duration_at(index, otherwise);
    });
    sensor.offset.reset();
    sensor.active = true;
    sensor.servo_due = false;
    sensor.log.settle();
    state.take_up_missed(static_cast<std::size_t>(&sensor - state.sensors.data()));
    for (PendingSettings& pending : sensor.pending)
      if (pending.instant) pending.instant = kAtOnce;
  }
}

void SettingsController::begin() { state_->streaming = true; }

void SettingsController::lost(std::size_t index) {
  SensorSettings& sensor = state_->sensors[index];
  sensor.active = false;
  sensor.offset.reset();
  sensor.servo_due = false;
}

void SettingsController::back(std::size_t index) {
  State& state = *state_;
  SensorSettings& sensor = state.sensors[index];
  sensor.active = true;
  if (sensor.clock) sensor.clock->restart();
  sensor.log.settle();
  state.take_up_missed(index);
}

// What was asked of a sensor while it was lost, in one go under the newest revision.
void SettingsController::State::take_up_missed(std::size_t index) {
  SensorSettings& sensor = sensors[index];
  const SettingsChange missed = std::exchange(sensor.missed, {});
  if (missed.empty()) return;
  for (const Setting setting : kSettings)
    if (missed[setting]) sensor.log.ask(setting, latest);
  // With the others, where they have yet to be written it.
  add_pending(index, missed, latest, unscheduled.empty() ? std::optional(kAtOnce) : std::nullopt);
}

void SettingsController::set_aligned(bool aligned) {
  State& state = *state_;
  if (aligned == state.servo.has_value()) return;
  if (aligned)
    state.servo.emplace(state.sensors.size(), state.nominal);
  else
    state.servo.reset();
  // What was changed by a little goes back to what was asked for.
  for (SensorSettings& sensor : state.sensors)
    sensor.servo_due = sensor.servo_due || (!aligned && sensor.nudged);
}

const std::vector<SettingsCaps>& SettingsController::caps() const { return state_->caps; }

const std::vector<Settings>& SettingsController::wanted() const { return state_->wanted; }

std::uint32_t SettingsController::latest_revision() const { return state_->latest; }

std::uint64_t SettingsController::late_writes() const { return state_->late_writes; }

std::uint64_t SettingsController::superseded() const { return state_->superseded; }

std::vector<SettingsController::Complaint> SettingsController::take_complaints() {
  return std::exchange(state_->complaints, {});
}

}  // namespace lockstep
