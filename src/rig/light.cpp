// SPDX-License-Identifier: MIT
// Light: the settings that are asked for, when they are written, and who decides on them. What is asked comes from any
// thread; sensors are written to by the capturing thread alone, with no lock held.
#include <sys/eventfd.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "rig/state.h"

namespace lockstep {
namespace {

constexpr Nanoseconds kBetweenTellings = std::chrono::seconds(1);

}  // namespace

// --- Asked from any thread ---

Result<std::uint32_t> Rig::apply(const SettingsChange& change) {
  return apply(std::span(&change, 1));
}

Result<std::uint32_t> Rig::apply(std::span<const SettingsChange> per_sensor) {
  State& state = *state_;
  Result<std::uint32_t> revision{0u};
  {
    MutexLock lock(state.light_mutex);
    revision = state.request(per_sensor);
  }
  if (revision)
    eventfd_write(state.wake.get(), 1);
  else
    state.count_refused();
  return revision;
}

Result<void> Rig::check_settings(std::span<const SettingsChange> per_sensor) const {
  const State& state = *state_;
  MutexLock lock(state.light_mutex);
  if (auto ready = state.check_configured(per_sensor); !ready) return ready;
  const State::Merged merged = state.with_overrides(per_sensor);
  return state.settings->check(merged.changes, state.names, merged.whom);
}

Result<void> Rig::State::check_configured(std::span<const SettingsChange> changes) const {
  if (settings) return {};
  return Error{Errc::invalid_argument, 0,
               "set " + to_string(changes.empty() ? SettingsChange() : changes[0]) +
                   ": the rig is not configured"};
}

// What is asked of all goes to each, but for what is overridden there.
Rig::State::Merged Rig::State::with_overrides(std::span<const SettingsChange> changes) const {
  using For = SettingsController::For;
  if (overrides.empty() || (changes.size() != 1 && changes.size() != sensors.size()))
    return {{changes.begin(), changes.end()}, For::each};
  std::vector<SettingsChange> merged(sensors.size());
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    merged[i] = changes[changes.size() == 1 ? 0 : i];
    for (const Setting setting : kSettings)
      if (merged[i][setting] && overrides[i][setting]) merged[i][setting] = overrides[i][setting];
  }
  return {std::move(merged), changes.size() == 1 ? For::those_that_can : For::each};
}

Result<std::uint32_t> Rig::State::request(std::span<const SettingsChange> changes) {
  if (auto ready = check_configured(changes); !ready) return ready.error();
  const Merged merged = with_overrides(changes);
  auto revision = settings->request(merged.changes, names, merged.whom);
  if (revision)
    for (std::size_t i = 0; i < asked.size(); ++i)
      asked[i].merge(changes[changes.size() == 1 ? 0 : i]);
  return revision;
}

Result<void> Rig::set_light(const LightConfig& config) {
  if (auto valid = check(config, num_sensors()); !valid) return valid;
  State& state = *state_;
  Result<void> possible;
  {
    MutexLock lock(state.light_mutex);
    possible = state.check_overrides(config.overrides);
    if (possible) {
      state.light = config;
      state.light_changed = true;
    }
  }
  if (possible)
    eventfd_write(state.wake.get(), 1);
  else
    state.count_refused();
  return possible;
}

// Those that are not in force yet; what sensors can be set to is known once they are configured.
Result<void> Rig::State::check_overrides(const std::vector<SettingsChange>& wanted) const {
  if (!settings || wanted == light.overrides) return {};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (auto possible = settings->check(i, wanted[i]); !possible) {
      Error error = std::move(possible).error();
      error.what = "override sensor " + std::to_string(i) + ": " + error.what;
      return error;
    }
  }
  return {};
}

void Rig::State::count_refused() {
  MutexLock lock(mutex);
  ++stats.refused_settings;
}

LightConfig Rig::light() const {
  MutexLock lock(state_->light_mutex);
  return state_->light;
}

std::vector<SettingsCaps> Rig::settings_caps() const {
  MutexLock lock(state_->light_mutex);
  return state_->settings ? state_->settings->caps() : std::vector<SettingsCaps>(num_sensors());
}

std::vector<Settings> Rig::wanted_settings() const {
  MutexLock lock(state_->light_mutex);
  return state_->settings ? state_->settings->wanted() : std::vector<Settings>(num_sensors());
}

// --- Who decides ---

// Sensors are configured: what they can be set to is known. What was asked before is asked anew.
void Rig::State::prepare_light() {
  {
    MutexLock lock(mutex);
    stats.refused_settings = 0;
  }
  std::vector<SettingsCaps> caps;
  for (const RigSensor& sensor : sensors) caps.push_back(sensor.sensor->settings_caps());
  Result<std::uint32_t> again{0u};
  {
    MutexLock lock(light_mutex);
    const std::uint32_t latest = settings ? settings->latest_revision() : 0;
    settings.emplace(std::move(caps), frame_period(format.framerate), latest);
    light_changed = true;
    overrides.clear();
    for (std::size_t i = 0; i < asked.size(); ++i)
      if (auto kept = keep_possible(i); !kept) again = std::move(kept).error();
    const bool any = std::any_of(asked.begin(), asked.end(),
                                 [](const SettingsChange& change) { return !change.empty(); });
    if (any) {
      auto revision = settings->request(asked, names, SettingsController::For::those_that_can);
      if (!revision) again = std::move(revision);
    }
  }
  if (!again) tell_refused(again.error());
}

// What a sensor can no longer be set to, in this format, is left out. The frame duration comes first: exposures must fit
// into it.
Result<void> Rig::State::keep_possible(std::size_t index) {
  Result<void> all;
  SettingsChange kept;
  for (auto setting = kSettings.rbegin(); setting != kSettings.rend(); ++setting) {
    const auto& value = asked[index][*setting];
    if (!value) continue;
    const auto more = SettingsChange(kept).set(*setting, *value);
    if (!settings->caps()[index][*setting]) continue;
    if (auto possible = settings->check(index, more); possible) {
      kept = more;
    } else {
      all = Error{possible.error().code, 0, names[index] + ": " + possible.error().what};
      asked[index][*setting].reset();
    }
  }
  return all;
}

void Rig::State::adopt_light() {
  LightConfig wanted;
  Result<std::uint32_t> overridden{0u};
  {
    MutexLock lock(light_mutex);
    if (!std::exchange(light_changed, false)) return;
    wanted = light;
    settings->set_aligned(light.align_exposures);
    if (overrides != light.overrides) {
      // Where an override has gone what was asked of all comes back.
      std::vector<SettingsChange> all(asked);
      for (std::size_t i = 0; i < light.overrides.size(); ++i) all[i].merge(light.overrides[i]);
      overridden = settings->request(all, names, SettingsController::For::those_that_can);
      // Those that cannot be are not in force; the ones before are.
      if (overridden) overrides = light.overrides;
    }
  }
  if (!overridden) tell_refused(overridden.error());
  decider = wanted.mode == LightMode::application ? config.algorithm : make_light_algorithm(wanted);
  for (RigSensor& sensor : sensors) {
    sensor.meter.reset();
    if (!decider && !wanted.always_meter) continue;
    // The CPU cannot look at what it lends.
    if (sensor.lends_in != MemorySpace::host) continue;
    auto meter = Meter::make(format, sensor.stream.layout, wanted.metering);
    if (meter)
      sensor.meter = *std::move(meter);
    else
      tell_refused(meter.error());
  }
}

void Rig::State::decide(const Batch& batch) {
  if (!decider) return;
  std::vector<LightReport::PerSensor> reports(sensors.size());
  std::vector<SettingsCaps> caps;
  LightReport report{.batch = batch.number,
                     .captured = batch.captured.since_epoch,
                     .uniform = batch.uniform,
                     .sensors = reports};
  {
    MutexLock lock(light_mutex);
    caps = settings->caps();
    report.latest_revision = settings->latest_revision();
    for (std::size_t i = 0; i < reports.size(); ++i) reports[i].wanted = settings->wanted()[i];
  }
  report.frame_period = frame_period(format.framerate);
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const Frame& frame = batch.frames[i];
    reports[i].caps = &caps[i];
    reports[i].state = frame.state;
    reports[i].info = frame.info;
    reports[i].metering = frame.metering ? &*frame.metering : nullptr;
  }
  std::vector<SettingsChange> answer;
  // The user's own code; ours throws nothing but for want of memory.
  try {
    answer = decider->decide(report);
  } catch (const std::exception& error) {
    tell_refused({Errc::invalid_argument, 0,
                  std::string("decide on the light: the algorithm threw: ") + error.what()});
    return;
  } catch (...) {
    tell_refused({Errc::invalid_argument, 0, "decide on the light: the algorithm threw"});
    return;
  }
  if (answer.empty()) return;
  Result<std::uint32_t> revision{0u};
  {
    MutexLock lock(light_mutex);
    revision = request(answer);
  }
  if (!revision) tell_refused(revision.error());
  make_writes();
}

// --- Exposures and writes ---

void Rig::State::note_exposure(std::size_t index, PendingFrame& frame) {
  FrameInfo& info = frame.info;
  MutexLock lock(light_mutex);
  const auto exposed =
      settings->exposed(index, info.captured.since_epoch, info.reference, info.settings);
  frame.exposure = exposed.index;
  info.settings = exposed.settings;
  info.settings_revision = exposed.revision;
  info.settings_state = exposed.state;
}

void Rig::State::note_set(const Synchroniser::Set& set) {
  std::vector<std::optional<std::int64_t>> exposures(sensors.size());
  for (std::size_t i = 0; i < sensors.size(); ++i)
    if (set.tokens[i]) exposures[i] = pending[*set.tokens[i]].exposure;
  MutexLock lock(light_mutex);
  settings->left_together(exposures);
}

std::optional<Nanoseconds> Rig::State::next_write() const {
  MutexLock lock(light_mutex);
  return settings->next_write();
}

void Rig::State::make_writes() {
  for (;;) {
    std::optional<SettingsController::Write> write;
    {
      MutexLock lock(light_mutex);
      write = settings->take_write(now());
    }
    if (!write) break;
    const Nanoseconds begun = now();
    const auto taken = sensors[write->sensor].sensor->write(write->change, write->completes, begun);
    const Nanoseconds done = now();
    {
      MutexLock lock(light_mutex);
      settings->written(*write, taken, begun, done);
    }
    // The sensor itself says that it is gone: only then has it let go of its slots.
    if (!taken && taken.error().code == Errc::device_lost && running)
      capture(write->sensor);
    else
      note_next_event(write->sensor);
  }
  tell_light_trouble();
}

// --- What users hear of ---

void Rig::State::tell_light_trouble() {
  std::vector<SettingsController::Complaint> complaints;
  std::uint32_t latest = 0;
  std::uint64_t superseded = 0;
  std::uint64_t late = 0;
  {
    MutexLock lock(light_mutex);
    complaints = settings->take_complaints();
    latest = settings->latest_revision();
    superseded = settings->superseded();
    late = settings->late_writes();
  }
  const auto num_refused = std::count_if(
      complaints.begin(), complaints.end(),
      [](const auto& complaint) { return complaint.error.code != Errc::not_supported; });
  {
    MutexLock lock(mutex);
    stats.revisions = latest;
    stats.superseded = superseded;
    stats.late_writes = late;
    stats.refused_settings += static_cast<std::uint64_t>(num_refused);
  }
  for (auto& [index, error] : complaints) {
    const bool lacks = error.code == Errc::not_supported;
    RigSensor& sensor = sensors[index];
    if (!lacks && sensor.settings_told && now() < *sensor.settings_told + kBetweenTellings)
      continue;
    if (!lacks) sensor.settings_told = now();
    emit({.kind = lacks ? RigEvent::Kind::no_settings : RigEvent::Kind::settings_refused,
          .sensor = index,
          .error = std::move(error)});
  }
}

void Rig::State::tell_refused(const Error& error) {
  count_refused();
  if (light_told && now() < *light_told + kBetweenTellings) return;
  light_told = now();
  emit({.kind = RigEvent::Kind::light_refused, .error = error});
}

}  // namespace lockstep
