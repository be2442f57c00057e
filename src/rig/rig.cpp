// SPDX-License-Identifier: MIT
// Rig runs in its caller's thread: next_batch() waits for the sensors' fds, takes in what they deliver and composes
// what the synchroniser groups. There is no thread of its own to hand frames over from, hence no latency for it, and
// between two calls the frames wait in the drivers' queues. Locks: State::mutex, held for counting, and
// State::light_mutex, held for reckoning with settings; never both, and never while calling a sensor, the synchroniser or
// the user.
#include "lockstep/rig.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/nanoseconds.h"
#include "rig/state.h"

namespace lockstep {

const char* to_string(BatchLayout layout) {
  switch (layout) {
    case BatchLayout::automatic:
      return "auto";
    case BatchLayout::contiguous:
      return "contiguous";
    case BatchLayout::reference:
      return "reference";
  }
  return "unknown";
}

const char* to_string(RigEvent::Kind kind) {
  switch (kind) {
    case RigEvent::Kind::sensor_lost:
      return "sensor-lost";
    case RigEvent::Kind::sensor_back:
      return "sensor-back";
    case RigEvent::Kind::frames_dropped:
      return "frames-dropped";
    case RigEvent::Kind::settings_refused:
      return "settings-refused";
    case RigEvent::Kind::no_settings:
      return "no-settings";
    case RigEvent::Kind::light_refused:
      return "light-refused";
  }
  return "unknown";
}

Rig::Rig(std::unique_ptr<State> state) : state_(std::move(state)) {}

Rig::~Rig() { stop(); }

Result<std::unique_ptr<Rig>> Rig::open(RigConfig config) {
  auto state = std::make_unique<State>(std::move(config));
  if (auto opened = state->open_sensors(); !opened) return opened.error();
  return std::unique_ptr<Rig>(new Rig(std::move(state)));
}

Result<Batch> Rig::next_batch(Nanoseconds timeout) {
  State& state = *state_;
  if (!state.running)
    return Error{Errc::invalid_argument, 0, "next_batch() of a rig that was not started"};
  const Nanoseconds deadline = add_saturating(monotonic_now(), timeout);
  while (!state.interrupted.load()) {
    state.adopt_sync();
    state.adopt_light();
    state.make_writes();
    while (state.may_compose()) {
      auto set = state.synchroniser->pop(state.now());
      if (!set) break;
      state.note_set(*set);
      auto composed = state.compose(*set);
      state.feeder->refill();
      if (!composed) return std::move(composed).error();
      std::optional<Batch> batch = *std::move(composed);
      if (!batch) continue;
      state.decide(*batch);
      state.count_drops();
      state.tell_drops(false);
      return *std::move(batch);
    }
    state.count_drops();
    state.feeder->refill_if_dry();
    state.tell_drops(false);
    if (monotonic_now() >= deadline)
      return Error{Errc::timed_out, 0,
                   "no batch within " + std::to_string(timeout.count()) + " ns"};
    if (auto waited = state.wait_and_capture(deadline); !waited) return waited.error();
  }
  return Error{Errc::interrupted, 0, "wait for a batch: interrupted"};
}

void Rig::interrupt() {
  state_->interrupted.store(true);
  eventfd_write(state_->wake.get(), 1);
}

void Rig::resume() { state_->interrupted.store(false); }

void Rig::flush(Nanoseconds keep_from) {
  State& state = *state_;
  state.keep_from = keep_from;
  if (!state.running) return;
  for (std::size_t i = 0; i < state.sensors.size(); ++i) {
    // Virtual sensors have a next frame ready at any time; theirs belong to the future.
    if (!state.is_virtual()) state.drain(i);
  }
  state.synchroniser->reset();
  state.count_drops();
  state.feeder->refill();
}

void Rig::discard(Batch batch, DropReason reason) {
  state_->count_batch(batch, -1);
  state_->drop_batch(batch, reason);
}

void Rig::stop() { state_->stop_sensors(); }

void Rig::report_departure(Nanoseconds ready_at) {
  const Nanoseconds latency = subtract_saturating(now(), ready_at);
  MutexLock lock(state_->mutex);
  state_->stats.latency.add(latency);
}

void Rig::report_copies(std::span<const std::size_t> slots) {
  MutexLock lock(state_->mutex);
  for (const std::size_t slot : slots) ++state_->stats.sensors[slot].copies;
}

Result<void> Rig::set_grouping(const Grouping& grouping) {
  if (auto valid = check_grouping(grouping); !valid) return valid;
  MutexLock lock(state_->mutex);
  state_->grouping = grouping;
  state_->sync_changed = true;
  return {};
}

SyncConfig Rig::sync() const {
  MutexLock lock(state_->mutex);
  return state_->resolved_sync(state_->configured.framerate);
}

Clock Rig::clock() const { return state_->clock; }

Nanoseconds Rig::now() const { return state_->now(); }

bool Rig::uses_dmabufs() const { return state_->memory->fd_kind() == FdKind::dmabuf; }

bool Rig::delivers_dmabufs() const {
  if (!uses_dmabufs() || state_->config.layout != BatchLayout::reference) return uses_dmabufs();
  MutexLock lock(state_->mutex);
  return !state_->lends_any;
}

MemorySpace Rig::frame_space() const {
  const State& state = *state_;
  const bool lent_there =
      std::all_of(state.sensors.begin(), state.sensors.end(),
                  [](const RigSensor& sensor) { return sensor.lends_in == MemorySpace::cuda; });
  const bool put_there =
      state.memory->space() == MemorySpace::cuda && state.config.layout != BatchLayout::reference;
  return lent_there || put_there ? MemorySpace::cuda : MemorySpace::host;
}

Format Rig::format() const {
  MutexLock lock(state_->mutex);
  return state_->configured;
}

std::size_t Rig::num_sensors() const { return state_->sensors.size(); }

RigStats Rig::stats() const {
  MutexLock lock(state_->mutex);
  return state_->stats;
}

}  // namespace lockstep
