// SPDX-License-Identifier: MIT
// Opening, setting up, starting and stopping the sensors of a rig.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>

#include "rig/placement.h"
#include "rig/state.h"

namespace lockstep {
namespace {

// A driver needs one slot to fill and one to go on with; one more covers the time until a set has left, where that is a
// frame period at most.
constexpr std::size_t kMinDepth = 3;
// Frames that a sensor may have waiting for partners; V4L2 has 32 buffers in all.
constexpr std::size_t kMostWaiting = 16;
// Beyond those downstream and in the sensors' pipes: one for the frames kept for on-missing=repeat.
constexpr std::size_t kKeptArenas = 1;

// Two names of one device compare equal: /dev/video0 and /dev/v4l/by-id/....
std::string canonical_name(const SensorSpec& spec) {
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(spec.device, ignored);
  return spec.backend + ":" + (path.empty() ? spec.device : path.string());
}

Result<void> check_config(const RigConfig& config) {
  if (config.sensors.empty() || config.sensors.size() > kMaxSensors)
    return Error{Errc::invalid_argument, 0,
                 std::to_string(config.sensors.size()) + " sensors, wanted 1 to " +
                     std::to_string(kMaxSensors)};
  if (config.max_batches < 1 || config.max_batches > kMaxBatches)
    return Error{Errc::invalid_argument, 0,
                 "max-batches " + std::to_string(config.max_batches) + ", wanted 1 to " +
                     std::to_string(kMaxBatches)};
  if (config.layout > BatchLayout::reference)
    return Error{Errc::invalid_argument, 0,
                 "layout number " + std::to_string(static_cast<unsigned>(config.layout)) +
                     ", wanted one that is defined"};
  for (std::size_t i = 0; i < config.sensors.size(); ++i) {
    for (std::size_t j = 0; j < i && !config.sensors[i].device.empty(); ++j) {
      if (canonical_name(config.sensors[i]) != canonical_name(config.sensors[j])) continue;
      return Error{Errc::invalid_argument, 0,
                   "sensors " + std::to_string(j) + " and " + std::to_string(i) +
                       " are the same device; name each device once: " + config.sensors[i].device};
    }
  }
  return {};
}

std::string offers_text(const std::vector<RigSensor>& sensors) {
  std::string text;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    text += "\n  sensor " + std::to_string(i) + " (" + sensors[i].name + "):";
    if (sensors[i].formats.empty()) text += " nothing that we know";
    for (const FormatOffer& offer : sensors[i].formats) text += "\n    " + to_string(offer);
  }
  return text;
}

}  // namespace

Result<void> check_grouping(const Grouping& grouping) {
  const auto check = [](const char* name, std::optional<Nanoseconds> value) -> Result<void> {
    if (!value || (*value >= Nanoseconds(0) && *value <= kMaxWait)) return {};
    return Error{Errc::invalid_argument, 0,
                 std::string(name) + " of " + std::to_string(value->count()) + " ns, wanted 0 to " +
                     std::to_string(kMaxWait.count())};
  };
  if (grouping.on_missing > OnMissing::drop)
    return Error{Errc::invalid_argument, 0,
                 "on-missing number " + std::to_string(static_cast<unsigned>(grouping.on_missing)) +
                     ", wanted one that is defined"};
  if (auto valid = check("sync-tolerance", grouping.tolerance); !valid) return valid;
  return check("max-wait", grouping.max_wait);
}

SyncConfig Rig::State::resolved_sync(const Fraction& framerate) const {
  const Nanoseconds period = frame_period(framerate);
  return {grouping.tolerance.value_or(period / 2), grouping.max_wait.value_or(period),
          grouping.on_missing};
}

// How many frames of a sensor come while the first waits for its partners.
std::size_t Rig::State::frames_during_wait(const Fraction& framerate) const {
  MutexLock lock(mutex);
  const Nanoseconds period = frame_period(framerate);
  const auto frames = (resolved_sync(framerate).max_wait + period - Nanoseconds(1)) / period;
  return std::clamp<std::size_t>(static_cast<std::size_t>(frames), 1, kMostWaiting);
}

Result<void> Rig::State::open_sensors() {
  if (auto valid = check_config(config); !valid) return valid;
  if (auto valid = check_grouping(config.grouping); !valid) return valid;
  auto backend = find_memory_backend(config.memory);
  if (!backend) return backend.error();
  memory = *backend;
  if (auto available = memory->available(); !available) return available.error();

  epoll = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  wake = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) return system_error(errno, "make an epoll and an eventfd");
  if (auto added = add_to_epoll(wake.get(), kWakeKey); !added) return added.error();

  for (const SensorSpec& spec : config.sensors) {
    auto kind = find_sensor_backend(spec.backend);
    if (!kind) return kind.error();
    auto sensor = (*kind)->open(spec);
    if (!sensor) return sensor.error();
    RigSensor& added = sensors.emplace_back();
    added.name = to_string(spec);
    added.sensor = *std::move(sensor);
    added.sensor->set_index(static_cast<std::uint32_t>(sensors.size() - 1));
    added.formats = added.sensor->describe().formats;
    added.lends_in = added.sensor->lends_in();
    if (sensors.size() == 1) clock = added.sensor->clock();
    if ((added.sensor->clock() == Clock::simulated) != (clock == Clock::simulated))
      return Error{Errc::invalid_argument, 0,
                   "sensors with and without realtime=false in one rig; give it to all or none"};
  }
  if (auto valid = check(config.light, sensors.size()); !valid) return valid;
  for (const RigSensor& sensor : sensors) names.push_back(sensor.name);
  {
    MutexLock lock(light_mutex);
    light = config.light;
    asked.resize(sensors.size());
  }
  MutexLock lock(mutex);
  grouping = config.grouping;
  stats.sensors.resize(sensors.size());
  for (std::size_t i = 0; i < sensors.size(); ++i) stats.sensors[i].name = sensors[i].name;
  return {};
}

Result<void> Rig::State::add_to_epoll(int fd, std::uint32_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = key;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) < 0)
    return system_error(errno, "watch an fd");
  return {};
}

Result<std::vector<FormatOffer>> Rig::formats() const {
  std::vector<FormatOffer> common = state_->sensors.front().formats;
  for (const RigSensor& sensor : state_->sensors) common = intersect(common, sensor.formats);
  if (!common.empty()) return common;
  return Error{
      Errc::no_common_format, 0,
      "the sensors share no format, size and rate; they offer:" + offers_text(state_->sensors)};
}

Result<void> Rig::configure(const Format& wanted) {
  if (auto valid = check(wanted); !valid) return valid;
  State& state = *state_;
  const bool was_set_up = state.pool != nullptr;
  state.stop_sensors();
  if (auto ready = state.set_up(wanted); !ready) {
    // Some sensors may have changed already.
    if (!was_set_up || !state.set_up(state.format)) state.take_down();
    return ready;
  }
  state.format = wanted;
  {
    MutexLock lock(state.mutex);
    state.configured = wanted;
  }
  state.prepare_light();
  return {};
}

// Sets the sensors and allocates the arenas.
Result<void> Rig::State::set_up(const Format& wanted) {
  auto layout = default_layout(wanted.pixel_format, wanted.width, wanted.height);
  if (!layout) return layout.error();
  arena_layout = *layout;
  const std::size_t num_waiting = frames_during_wait(wanted.framerate);
  std::size_t depth = kMinDepth - 1 + num_waiting;
  std::size_t slot_bytes = layout->size_bytes;
  bool layout_chosen = false;
  bool any_lends = false;
  for (RigSensor& sensor : sensors) {
    // The first that fills slots decides how they are laid out; the others are asked for the same.
    auto stream = sensor.sensor->configure(wanted, arena_layout, memory->fd_kind());
    if (!stream) {
      Error error = std::move(stream).error();
      error.what = "set " + sensor.name + " to " + to_string(wanted) + ": " + error.what;
      return error;
    }
    sensor.stream = *std::move(stream);
    slot_bytes = std::max({slot_bytes, sensor.stream.slot_bytes, sensor.stream.layout.size_bytes});
    any_lends = any_lends || sensor.stream.delivery == Delivery::lend;
    if (sensor.stream.delivery != Delivery::fill) continue;
    depth = std::max(depth, sensor.stream.min_queued + num_waiting);
    if (!layout_chosen) arena_layout = sensor.stream.layout;
    layout_chosen = true;
  }
  if (auto allocated = allocate(depth, slot_bytes); !allocated) return allocated;
  MutexLock lock(mutex);
  lends_any = any_lends;
  for (std::size_t i = 0; i < sensors.size(); ++i) stats.sensors[i].io = sensors[i].stream.io;
  return {};
}

// Nothing of a set-up that failed stays.
void Rig::State::take_down() {
  for (RigSensor& sensor : sensors) sensor.sensor->stop();
  release_arenas();
}

std::vector<Colorimetry> Rig::colorimetry() const {
  const Format& format = state_->format;
  std::vector<Colorimetry> all;
  for (const RigSensor& sensor : state_->sensors)
    all.push_back(
        sensor.stream.colorimetry.value_or(usual_colorimetry(format.pixel_format, format.height)));
  return all;
}

Result<void> Rig::State::allocate(std::size_t depth, std::size_t slot_bytes) {
  release_arenas();
  std::vector<FrameSource> sources;
  bool any_fills = false;
  for (const RigSensor& sensor : sensors) {
    sources.push_back({sensor.stream.delivery, sensor.lends_in});
    any_fills = any_fills || sensor.stream.delivery == Delivery::fill;
  }
  const Wanted wanted{config.layout, memory->name(), memory->space(), memory->fd_kind()};
  if (auto possible = check_placement(wanted, sources); !possible) return possible;
  // As many buffers of its own a sensor that lends should have.
  const std::size_t num_each = config.max_batches + depth + kKeptArenas;
  const std::size_t num_fed = any_fills ? num_each : 0;
  // Slots that sensors fill out of step lie scattered, and no arena may be whole: copies go to arenas of their own.
  const bool copies = may_copy(wanted, sources);
  const std::size_t num_copied = copies ? config.max_batches : 0;
  if (copies) {
    auto made = memory->make_copier();
    if (!made) return std::move(made).error();
    copier = *std::move(made);
  }
  auto made = SlotPool::make(*memory, num_fed + num_copied, sensors.size(), slot_bytes);
  if (!made) return made.error();
  pool = *std::move(made);
  if (auto added = add_to_epoll(pool->notice_fd(), kNoticeKey); !added) return added.error();
  feeder.emplace(pool, num_fed, depth,
                 [this](std::size_t i, std::size_t arena) { return queue_slot(i, arena); });
  pipe_depth = depth;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    std::vector<SlotView> slots(num_each);
    for (std::size_t k = 0; k < num_fed; ++k) slots[k] = pool->arena(k)->slot(i);
    if (auto attached = sensors[i].sensor->attach(slots); !attached) {
      Error error = std::move(attached).error();
      error.what = "give " + sensors[i].name + " its slots: " + error.what;
      return error;
    }
  }
  return {};
}

// Those that are out live on until they come back.
void Rig::State::release_arenas() {
  if (pool) epoll_ctl(epoll.get(), EPOLL_CTL_DEL, pool->notice_fd(), nullptr);
  copier.reset();
  feeder.reset();
  pool.reset();
}

Result<void> Rig::start() {
  State& state = *state_;
  if (!state.pool)
    return Error{Errc::invalid_argument, 0, "start() of a rig that was not configured"};
  if (state.running) return {};
  return state.start_sensors();
}

Result<void> Rig::State::start_sensors() {
  {
    MutexLock lock(mutex);
    RigStats fresh;
    fresh.refused_settings = stats.refused_settings;
    for (const auto& sensor : stats.sensors)
      fresh.sensors.push_back({.name = sensor.name, .io = sensor.io});
    stats = std::move(fresh);
    drops.reset(sensors.size());
    sync_changed = false;
    synchroniser.emplace(sensors.size(), resolved_sync(format.framerate),
                         std::max<std::size_t>(pipe_depth - 1, 1));
  }
  next_batch_number = 0;
  keep_from = Nanoseconds::min();
  virtual_now.store(0);
  {
    MutexLock lock(light_mutex);
    settings->restart();
  }
  adopt_light();
  make_writes();
  running = true;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    RigSensor& sensor = sensors[i];
    sensor.lost = false;
    sensor.delivered_since_lost = true;
    if (auto started = sensor.sensor->start(); !started) {
      Error error = std::move(started).error();
      error.what = "start " + sensor.name + ": " + error.what;
      stop_sensors();
      return error;
    }
    feeder->set_fed(i, sensor.stream.delivery == Delivery::fill);
  }
  {
    MutexLock lock(light_mutex);
    settings->begin();
  }
  for (std::size_t i = 0; i < sensors.size(); ++i) watch(i);
  feeder->refill();
  return {};
}

void Rig::State::stop_sensors() {
  if (!running) return;
  running = false;
  // It may still read frames that were lent: their sensors get them back before they stop.
  copier.reset();
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    RigSensor& sensor = sensors[i];
    sensor.reviver.reset();
    unwatch(i);
    sensor.sensor->stop();
    feeder->lost(i);
    sensor.last.reset();
  }
  synchroniser->reset();
  count_drops();
  tell_drops(true);
  release_arenas();
}

}  // namespace lockstep
