// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/settings_controller.h"
#include "lockstep/drop_counter.h"
#include "lockstep/rig.h"
#include "rig/feeder.h"
#include "rig/reviver.h"
#include "rig/slot_pool.h"
#include "support/mutex.h"
#include "support/unique_fd.h"

namespace lockstep {

/// A frame that waits for its partners.
struct PendingFrame {
  std::shared_ptr<const Pixels> pixels;
  FrameInfo info;
  std::optional<Layout> layout;  // where it is not the stream's
  Nanoseconds ready_at{0};
  bool from_feeder = false;   // its slot counts in the sensor's pipe
  std::int64_t exposure = 0;  // as SettingsController counts them
};

/// One sensor and what the rig knows of it. Touched by the capturing thread only.
struct RigSensor {
  std::string name;
  std::unique_ptr<Sensor> sensor;
  SensorStream stream;
  std::vector<FormatOffer> formats;
  MemorySpace lends_in = MemorySpace::host;  // as Sensor::lends_in()
  bool lost = false;
  bool delivered_since_lost = true;
  int polled_fd = -1;                           // what epoll watches, -1: nothing
  Nanoseconds next_event = Nanoseconds::max();  // virtual clock only; max: none
  std::unique_ptr<Reviver> reviver;             // real clock only, while lost
  std::optional<PendingFrame> last;             // for on-missing=repeat
  std::optional<Meter> meter;                   // where its frames are metered
  std::optional<Nanoseconds> settings_told;     // when its last trouble with settings was told
};

/// Keys of the epoll set beside the sensors' indexes.
inline constexpr std::uint32_t kWakeKey = 1u << 30;
inline constexpr std::uint32_t kNoticeKey = kWakeKey + 1;

Result<void> check_grouping(const Grouping& grouping);

/// What Rig hides. One thread captures. For all threads are what stays as open_sensors() left it, and what a mutex guards
/// or is atomic.
struct Rig::State {
  explicit State(RigConfig rig_config) : config(std::move(rig_config)) {}

  // Constant from open_sensors() on; of each sensor its name, formats and lends_in.
  const RigConfig config;  // its grouping is only the start, see `grouping`
  const MemoryBackend* memory = nullptr;
  Clock clock = Clock::monotonic;
  std::vector<std::string> names;  // of the sensors
  std::vector<RigSensor> sensors;

  Format format;  // that the sensors are set to
  Layout arena_layout;
  std::size_t pipe_depth = 0;
  bool running = false;

  std::shared_ptr<SlotPool> pool;
  std::unique_ptr<FrameCopier> copier;  // where frames may have to be copied
  std::optional<Feeder> feeder;
  std::optional<Synchroniser> synchroniser;
  std::vector<PendingFrame> pending;  // by token
  std::vector<std::uint64_t> free_tokens;
  std::uint64_t next_batch_number = 0;
  Nanoseconds keep_from = Nanoseconds::min();  // sets captured earlier are flushed
  std::shared_ptr<LightAlgorithm> decider;     // null: nobody decides
  std::optional<Nanoseconds> light_told;       // when its last trouble was told
  std::atomic<std::int64_t> virtual_now{0};    // written by the capturing thread

  UniqueFd epoll;
  UniqueFd wake;  // eventfd: interrupted, or a sensor is back
  std::atomic<bool> interrupted{false};

  mutable Mutex mutex;
  Format configured LOCKSTEP_GUARDED_BY(mutex);       // `format`, for all threads
  bool lends_any LOCKSTEP_GUARDED_BY(mutex) = false;  // whether a sensor lends its frames
  RigStats stats LOCKSTEP_GUARDED_BY(mutex);
  DropCounter drops LOCKSTEP_GUARDED_BY(mutex);
  Grouping grouping LOCKSTEP_GUARDED_BY(mutex);
  bool sync_changed LOCKSTEP_GUARDED_BY(mutex) = false;  // the synchroniser does not know yet

  mutable Mutex light_mutex;  // held for reckoning only, never with `mutex`
  std::optional<SettingsController> settings LOCKSTEP_GUARDED_BY(light_mutex);  // once configured
  LightConfig light LOCKSTEP_GUARDED_BY(light_mutex);
  bool light_changed LOCKSTEP_GUARDED_BY(light_mutex) = false;  // nobody has adopted it yet
  std::vector<SettingsChange> overrides LOCKSTEP_GUARDED_BY(light_mutex);  // that are in force
  std::vector<SettingsChange> asked
      LOCKSTEP_GUARDED_BY(light_mutex);  // of each sensor, overrides aside

  /// What `grouping` says at that frame rate.
  SyncConfig resolved_sync(const Fraction& framerate) const
      LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(mutex));

  bool is_virtual() const { return clock == Clock::simulated; }
  Nanoseconds now() const {
    return is_virtual() ? Nanoseconds(virtual_now.load()) : monotonic_now();
  }

  // lifecycle.cpp
  Result<void> open_sensors();
  Result<void> add_to_epoll(int fd, std::uint32_t key);
  std::size_t frames_during_wait(const Fraction& framerate) const;
  Result<void> set_up(const Format& wanted);
  void take_down();
  Result<void> allocate(std::size_t depth, std::size_t slot_bytes);
  void release_arenas();
  Result<void> start_sensors();
  void stop_sensors();

  // capture.cpp: from the sensors to the synchroniser
  bool may_compose() const;
  void adopt_sync();
  Result<void> wait_and_capture(Nanoseconds deadline);
  Result<void> wait_for_fds(Nanoseconds deadline);
  bool advance_virtual_time();
  void note_next_event(std::size_t index);
  void capture(std::size_t index);
  void drain(std::size_t index);
  void take_in(std::size_t index, Delivered delivered);
  PendingFrame take_pending(std::uint64_t token);
  bool queue_slot(std::size_t index, std::size_t arena);
  void lose(std::size_t index, Error error);
  void bring_back(std::size_t index);
  void bring_back_revived();
  void watch(std::size_t index);
  void unwatch(std::size_t index);
  void drop(std::size_t index, DropReason reason, std::uint64_t count);
  void count_drops();
  void tell_drops(bool all);
  void emit(const RigEvent& event) const;

  // compose.cpp: from a set to a batch
  Result<std::optional<Batch>> compose(const Synchroniser::Set& set);
  void place(Frame& frame, std::size_t index, FrameState state, PendingFrame pending_frame);
  void drop_set(const Synchroniser::Set& set, DropReason reason);
  void drop_batch(const Batch& batch, DropReason reason);
  bool in_place(const Frame& frame, std::size_t index, const Arena* arena) const;
  std::shared_ptr<Arena> common_arena(const Batch& batch) const;
  std::size_t arena_to_compact_into(const Batch& batch) const;
  Result<void> compact(Batch& batch);
  bool is_uniform(const Batch& batch) const;
  void count_batch(const Batch& batch, std::int64_t by);

  // light.cpp: settings and who decides on them
  struct Merged {
    std::vector<SettingsChange> changes;
    SettingsController::For whom = SettingsController::For::each;
  };
  void prepare_light();
  void adopt_light();
  void note_exposure(std::size_t index, PendingFrame& frame);
  void note_set(const Synchroniser::Set& set);
  std::optional<Nanoseconds> next_write() const;
  void make_writes();
  void decide(const Batch& batch);
  Result<std::uint32_t> request(std::span<const SettingsChange> changes)
      LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(light_mutex));
  Result<void> check_configured(std::span<const SettingsChange> changes) const
      LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(light_mutex));
  Merged with_overrides(std::span<const SettingsChange> changes) const
      LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(light_mutex));
  Result<void> check_overrides(const std::vector<SettingsChange>& wanted) const
      LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(light_mutex));
  Result<void> keep_possible(std::size_t index)
      LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(light_mutex));
  void count_refused();
  void tell_light_trouble();
  void tell_refused(const Error& error);
};

}  // namespace lockstep
