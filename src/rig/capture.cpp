// SPDX-License-Identifier: MIT
// From the sensors to the synchroniser: waiting, taking frames in, sensors that go and come back.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "rig/state.h"

namespace lockstep {
namespace {

// Rounded up: waking early would only mean waiting once more.
int milliseconds_until(Nanoseconds deadline, Nanoseconds now) {
  if (deadline <= now) return 0;
  const auto ms = (deadline - now).count() / 1'000'000 + 1;
  return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

}  // namespace

bool Rig::State::may_compose() const {
  // Virtual time stands still while downstream holds every batch; real time does not, see compose().
  return !is_virtual() || pool->batches_out() < config.max_batches;
}

void Rig::State::adopt_sync() {
  MutexLock lock(mutex);
  if (!sync_changed) return;
  sync_changed = false;
  synchroniser->set_config(resolved_sync(format.framerate));
}

Result<void> Rig::State::wait_and_capture(Nanoseconds deadline) {
  if (!is_virtual()) {
    if (auto due = synchroniser->deadline()) deadline = std::min(deadline, *due);
    if (auto write = next_write()) deadline = std::min(deadline, *write);
    return wait_for_fds(deadline);
  }
  if (may_compose() && advance_virtual_time()) return {};
  pool->want_notice(true);
  Result<void> waited;
  const bool idle = !may_compose() || !advance_virtual_time();
  if (idle) waited = wait_for_fds(deadline);
  pool->want_notice(false);
  return waited;
}

bool Rig::State::advance_virtual_time() {
  std::size_t next = 0;
  for (std::size_t i = 1; i < sensors.size(); ++i)
    if (sensors[i].next_event < sensors[next].next_event) next = i;
  const Nanoseconds event = sensors[next].next_event;
  const auto due = synchroniser->deadline();
  const auto write = next_write();
  if (write && *write <= std::min(event, due.value_or(event))) {
    virtual_now.store(std::max(virtual_now.load(), write->count()));
    make_writes();
    return true;
  }
  if (!due && event == Nanoseconds::max()) return false;
  if (due && *due <= event) {
    virtual_now.store(std::max(virtual_now.load(), due->count()));
    return true;
  }
  virtual_now.store(std::max(virtual_now.load(), event.count()));
  if (!sensors[next].lost) {
    capture(next);
  } else if (sensors[next].sensor->restart()) {
    bring_back(next);
  } else {
    note_next_event(next);
  }
  return true;
}

void Rig::State::note_next_event(std::size_t index) {
  if (!is_virtual()) return;
  sensors[index].next_event = sensors[index].sensor->next_event().value_or(Nanoseconds::max());
}

Result<void> Rig::State::wait_for_fds(Nanoseconds deadline) {
  std::array<epoll_event, kMaxSensors + 2> events;
  const int timeout = milliseconds_until(deadline, monotonic_now());
  const int ready = epoll_wait(epoll.get(), events.data(), events.size(), timeout);
  if (ready < 0 && errno != EINTR) return system_error(errno, "wait for the sensors");
  for (int i = 0; i < ready; ++i) {
    const std::uint32_t key = events[i].data.u32;
    if (key == kWakeKey || key == kNoticeKey) {
      eventfd_t ignored = 0;
      eventfd_read(key == kWakeKey ? wake.get() : pool->notice_fd(), &ignored);
      if (key == kWakeKey) bring_back_revived();
    } else {
      capture(key);
    }
  }
  return {};
}

void Rig::State::capture(std::size_t index) {
  auto delivered = sensors[index].sensor->dequeue();
  if (!delivered) {
    lose(index, std::move(delivered).error());
  } else if (*delivered) {
    take_in(index, std::move(**delivered));
  }
  note_next_event(index);
}

void Rig::State::drain(std::size_t index) {
  RigSensor& sensor = sensors[index];
  while (!sensor.lost) {
    auto delivered = sensor.sensor->dequeue();
    if (!delivered) {
      lose(index, std::move(delivered).error());
      return;
    }
    if (!*delivered) return;
    take_in(index, std::move(**delivered));
  }
}

void Rig::State::take_in(std::size_t index, Delivered delivered) {
  RigSensor& sensor = sensors[index];
  if (!sensor.delivered_since_lost) {
    sensor.delivered_since_lost = true;
    emit({.kind = RigEvent::Kind::sensor_back, .sensor = index, .error = {}});
  }
  if (delivered.skipped > 0) drop(index, DropReason::sensor, delivered.skipped);

  PendingFrame frame;
  frame.from_feeder = delivered.arena_index != Delivered::kLent;
  if (frame.from_feeder) {
    feeder->filled(index, delivered.arena_index);
    frame.pixels = pool->hold(delivered.arena_index, index);
  } else {
    frame.pixels = std::move(delivered.lent);
    frame.layout = delivered.layout;
  }
  if (delivered.corrupt) {
    if (frame.from_feeder) feeder->left(index);
    drop(index, DropReason::corrupt, 1);
    return;
  }
  frame.info = delivered.info;
  frame.info.sensor = static_cast<std::uint32_t>(index);
  frame.ready_at = delivered.ready_at;
  note_exposure(index, frame);

  std::uint64_t token = pending.size();
  if (free_tokens.empty()) {
    pending.emplace_back();
  } else {
    token = free_tokens.back();
    free_tokens.pop_back();
  }
  pending[token] = std::move(frame);
  synchroniser->push({index, pending[token].info.captured.since_epoch, token}, now());
}

PendingFrame Rig::State::take_pending(std::uint64_t token) {
  PendingFrame frame = std::move(pending[token]);
  pending[token] = {};
  free_tokens.push_back(token);
  if (frame.from_feeder) feeder->left(frame.info.sensor);
  return frame;
}

bool Rig::State::queue_slot(std::size_t index, std::size_t arena) {
  auto queued = sensors[index].sensor->queue(arena);
  if (!queued) lose(index, std::move(queued).error());
  note_next_event(index);
  return static_cast<bool>(queued);
}

void Rig::State::lose(std::size_t index, Error error) {
  RigSensor& sensor = sensors[index];
  if (sensor.lost) return;
  sensor.lost = true;
  sensor.delivered_since_lost = false;
  unwatch(index);
  feeder->lost(index);
  synchroniser->set_active(index, false, now());
  {
    MutexLock lock(light_mutex);
    settings->lost(index);
  }
  {
    MutexLock lock(mutex);
    stats.sensors[index].lost = true;
  }
  if (!is_virtual()) sensor.reviver = std::make_unique<Reviver>(*sensor.sensor, wake.get());
  emit({.kind = RigEvent::Kind::sensor_lost, .sensor = index, .error = std::move(error)});
}

void Rig::State::bring_back_revived() {
  for (std::size_t i = 0; i < sensors.size(); ++i)
    if (sensors[i].reviver && sensors[i].reviver->done()) bring_back(i);
}

void Rig::State::bring_back(std::size_t index) {
  RigSensor& sensor = sensors[index];
  sensor.reviver.reset();
  sensor.lost = false;
  {
    MutexLock lock(mutex);
    stats.sensors[index].lost = false;
  }
  synchroniser->set_active(index, true, now());
  {
    MutexLock lock(light_mutex);
    settings->back(index);
  }
  feeder->set_fed(index, sensor.stream.delivery == Delivery::fill);
  watch(index);
  feeder->refill();
  note_next_event(index);
}

void Rig::State::watch(std::size_t index) {
  note_next_event(index);
  RigSensor& sensor = sensors[index];
  const int fd = is_virtual() ? -1 : sensor.sensor->readable_fd();
  if (fd < 0) return;
  if (auto added = add_to_epoll(fd, static_cast<std::uint32_t>(index)); !added) {
    lose(index, std::move(added).error());
    return;
  }
  sensor.polled_fd = fd;
}

void Rig::State::unwatch(std::size_t index) {
  // Fails harmlessly where the sensor has closed the fd already, which has taken it out of the set.
  if (sensors[index].polled_fd >= 0)
    epoll_ctl(epoll.get(), EPOLL_CTL_DEL, sensors[index].polled_fd, nullptr);
  sensors[index].polled_fd = -1;
}

void Rig::State::drop(std::size_t index, DropReason reason, std::uint64_t count) {
  MutexLock lock(mutex);
  drops.add(index, reason, count);
  stats.sensors[index].drops[static_cast<std::size_t>(reason)] += count;
}

void Rig::State::count_drops() {
  for (const Synchroniser::Drop& dropped : synchroniser->take_drops()) {
    take_pending(dropped.token);
    drop(dropped.sensor, dropped.reason, 1);
  }
  const std::uint64_t sets = synchroniser->take_dropped_sets();
  if (sets == 0) return;
  MutexLock lock(mutex);
  stats.dropped_batches += sets;
}

void Rig::State::tell_drops(bool all) {
  std::vector<RigEvent> events;
  {
    MutexLock lock(mutex);
    drops.report(now(), all, [&](std::size_t sensor, DropReason reason, std::uint64_t count) {
      events.push_back({.kind = RigEvent::Kind::frames_dropped,
                        .sensor = sensor,
                        .reason = reason,
                        .count = count,
                        .error = {}});
    });
  }
  for (const RigEvent& event : events) emit(event);
}

void Rig::State::emit(const RigEvent& event) const {
  if (config.on_event) config.on_event(event);
}

}  // namespace lockstep
