// SPDX-License-Identifier: MIT
// From a set of frames to a batch: who is missing, what lies where, and the one copy where it is asked for.
#include <algorithm>
#include <utility>

#include "rig/state.h"

namespace lockstep {
Result<std::optional<Batch>> Rig::State::compose(const Synchroniser::Set& set) {
  if (set.captured < keep_from) {
    drop_set(set, DropReason::flushed);
    return std::optional<Batch>();
  }
  // In real time frames keep coming while downstream holds every batch: theirs are the ones to go.
  if (pool->batches_out() >= config.max_batches) {
    drop_set(set, DropReason::downstream_full);
    return std::optional<Batch>();
  }
  Batch batch;
  batch.captured = {set.captured, clock};
  batch.skew = set.skew;
  batch.frames.resize(sensors.size());
  const bool keep = synchroniser->config().on_missing == OnMissing::repeat;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    if (set.tokens[i]) {
      PendingFrame pending_frame = take_pending(*set.tokens[i]);
      batch.ready_at = std::max(batch.ready_at, pending_frame.ready_at);
      if (keep) sensors[i].last = pending_frame;
      place(batch.frames[i], i, FrameState::fresh, std::move(pending_frame));
    } else if (keep && sensors[i].last) {
      place(batch.frames[i], i, FrameState::repeated, *sensors[i].last);
    } else {
      batch.frames[i].info.sensor = static_cast<std::uint32_t>(i);
    }
    if (!keep) sensors[i].last.reset();
  }
  batch.uniform = is_uniform(batch);
  if (config.layout != BatchLayout::reference) batch.arena = common_arena(batch);
  if (!batch.arena && copier) {
    if (auto compacted = compact(batch); !compacted) {
      drop_batch(batch, DropReason::flushed);
      return std::move(compacted).error();
    }
  }

  auto ticket = std::make_shared<SlotPool::Ticket>(pool);
  for (Frame& frame : batch.frames)
    if (frame.pixels) frame.pixels = SlotPool::with_ticket(std::move(frame.pixels), ticket);
  batch.number = next_batch_number++;
  count_batch(batch, 1);
  return std::optional(std::move(batch));
}

void Rig::State::place(Frame& frame, std::size_t index, FrameState state,
                       PendingFrame pending_frame) {
  frame.state = state;
  frame.info = pending_frame.info;
  frame.layout = pending_frame.layout.value_or(sensors[index].stream.layout);
  frame.pixels = std::move(pending_frame.pixels);
  const auto& meter = sensors[index].meter;
  if (meter && state == FrameState::fresh && frame.pixels->space() == MemorySpace::host)
    frame.metering = meter->measure(frame.pixels->data);
}

bool Rig::State::is_uniform(const Batch& batch) const {
  const FrameInfo& first = batch.frames.front().info;
  return std::all_of(batch.frames.begin(), batch.frames.end(), [&](const Frame& frame) {
    return frame.state == FrameState::fresh && exposed_alike(frame.info, first);
  });
}

void Rig::State::drop_set(const Synchroniser::Set& set, DropReason reason) {
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    if (!set.tokens[i]) continue;
    take_pending(*set.tokens[i]);
    drop(i, reason, 1);
  }
  MutexLock lock(mutex);
  ++stats.dropped_batches;
}

// Its frames have been taken already.
void Rig::State::drop_batch(const Batch& batch, DropReason reason) {
  for (std::size_t i = 0; i < sensors.size(); ++i)
    if (batch.frames[i].state == FrameState::fresh) drop(i, reason, 1);
  MutexLock lock(mutex);
  ++stats.dropped_batches;
}

bool Rig::State::in_place(const Frame& frame, std::size_t index, const Arena* arena) const {
  return frame.pixels->arena == arena && frame.pixels->slot == index &&
         frame.layout == arena_layout;
}

std::shared_ptr<Arena> Rig::State::common_arena(const Batch& batch) const {
  const Arena* arena = nullptr;
  for (std::size_t i = 0; i < batch.frames.size(); ++i) {
    const Frame& frame = batch.frames[i];
    if (!frame.pixels) continue;
    if (arena == nullptr) arena = frame.pixels->arena;
    if (arena == nullptr || !in_place(frame, i, arena)) return nullptr;
  }
  for (std::size_t k = 0; k < pool->num_arenas(); ++k)
    if (pool->arena(k).get() == arena) return pool->arena(k);
  return nullptr;
}

std::size_t Rig::State::arena_to_compact_into(const Batch& batch) const {
  std::size_t best = pool->num_arenas();
  std::size_t most = 0;
  for (std::size_t k = 0; k < pool->num_arenas(); ++k) {
    std::size_t num_in_place = 0;
    bool fits = true;
    for (std::size_t i = 0; i < batch.frames.size() && fits; ++i) {
      if (!batch.frames[i].pixels) continue;
      const bool there = in_place(batch.frames[i], i, pool->arena(k).get());
      num_in_place += there;
      fits = there || pool->is_free(k, i);
    }
    if (!fits || (best < pool->num_arenas() && num_in_place <= most)) continue;
    best = k;
    most = num_in_place;
  }
  return best;
}

Result<void> Rig::State::compact(Batch& batch) {
  // There is always one: allocate() keeps an arena to copy into for every batch that may be out.
  const std::size_t target = arena_to_compact_into(batch);
  if (target == pool->num_arenas()) return {};
  const std::shared_ptr<Arena>& arena = pool->arena(target);
  std::vector<FrameCopier::Job> jobs;
  std::vector<std::size_t> copied;
  for (std::size_t i = 0; i < batch.frames.size(); ++i) {
    Frame& frame = batch.frames[i];
    if (!frame.pixels || in_place(frame, i, arena.get())) continue;
    pool->take(target, i);
    copied.push_back(i);
    jobs.push_back({std::exchange(frame.pixels, pool->hold(target, i)), frame.layout,
                    arena->slot(i), arena_layout, format});
    frame.layout = arena_layout;
    ++frame.info.copies;
  }
  if (auto done = copier->copy(jobs); !done) return done;
  batch.arena = arena;
  MutexLock lock(mutex);
  for (std::size_t i : copied) ++stats.sensors[i].copies;
  return {};
}

// Counts it as one that left; with `by` of -1 takes that back.
void Rig::State::count_batch(const Batch& batch, std::int64_t by) {
  const auto count = [by](std::uint64_t& counter, bool applies) {
    if (applies) counter += static_cast<std::uint64_t>(by);
  };
  std::size_t num_fresh = 0;
  MutexLock lock(mutex);
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    const FrameState state = batch.frames[i].state;
    RigStats::PerSensor& sensor = stats.sensors[i];
    count(sensor.frames, state == FrameState::fresh);
    count(sensor.repeated, state == FrameState::repeated);
    count(sensor.missing, state == FrameState::missing);
    num_fresh += state == FrameState::fresh;
  }
  count(stats.batches, true);
  count(stats.incomplete, num_fresh < sensors.size());
  count(stats.by_reference, !batch.contiguous());
  count(stats.uniform, batch.uniform);
  if (by > 0 && num_fresh > 1) stats.skew.add(batch.skew);
}

}  // namespace lockstep
