// SPDX-License-Identifier: MIT
// Arenas are numbered in the order in which writers come to them, and each writer has a cursor: the number of the arena
// that its next slot is of. Writers in step have their cursors go through the same numbers at the same instants. An
// arena that is whole again retires its number and gets a new one. A number that no writer has come to yet is made up
// for by opening an arena when the first one does; a number below `retired` that is not open is gone, and cursors that
// point there skip it.
#include "lockstep/slot_dispenser.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <optional>
#include <string>
#include <utility>

#include "lockstep/sensor_spec.h"
#include "rig/arena_slots.h"
#include "support/mutex.h"

#define LOCKSTEP_REQUIRES_LOCK LOCKSTEP_THREAD_ATTRIBUTE(requires_capability(mutex))

namespace lockstep {
namespace {

constexpr std::uint64_t kUnnumbered = static_cast<std::uint64_t>(-1);

struct NumberedArena {
  explicit NumberedArena(std::shared_ptr<Arena> arena) : slots(std::move(arena)) {}
  ArenaSlots slots;
  std::uint64_t number = kUnnumbered;  // unnumbered: not for writers, free or gathered into
};

struct Writer {
  std::optional<std::uint64_t> cursor;  // none before its first slot
  std::uint64_t corrected = 0;  // frames of lower numbers were in flight when it was corrected last
};

}  // namespace

struct SlotDispenser::State : std::enable_shared_from_this<State> {
  explicit State(const Config& wanted) : config(wanted), writers(wanted.num_slots) {}

  const Config config;
  mutable Mutex mutex;
  mutable std::condition_variable_any returned;
  std::vector<std::unique_ptr<NumberedArena>> arenas LOCKSTEP_GUARDED_BY(mutex);
  std::vector<Writer> writers LOCKSTEP_GUARDED_BY(mutex);
  std::uint64_t retired LOCKSTEP_GUARDED_BY(mutex) = 0;  // one more than the highest retired number
  bool any_left LOCKSTEP_GUARDED_BY(mutex) = false;
  std::uint64_t returns LOCKSTEP_GUARDED_BY(mutex) = 0;

  NumberedArena* arena_of_number(std::uint64_t number) const LOCKSTEP_REQUIRES_LOCK;
  NumberedArena* arena_of(const Pixels& pixels) const LOCKSTEP_REQUIRES_LOCK;
  std::uint64_t first_number() const LOCKSTEP_REQUIRES_LOCK;
  std::uint64_t next_number(std::size_t slot) const LOCKSTEP_REQUIRES_LOCK;
  bool all_passed(std::uint64_t number) const LOCKSTEP_REQUIRES_LOCK;
  Result<NumberedArena*> allocate() LOCKSTEP_REQUIRES_LOCK;
  Result<NumberedArena*> unused_arena() LOCKSTEP_REQUIRES_LOCK;
  NumberedArena* arena_to_gather_into(std::span<const std::shared_ptr<const Pixels>> pixels,
                                      const std::vector<bool>& wanted) const LOCKSTEP_REQUIRES_LOCK;
  std::shared_ptr<const Pixels> hand_out(NumberedArena& arena,
                                         std::size_t slot) LOCKSTEP_REQUIRES_LOCK;
  void give_back(NumberedArena& arena, std::size_t slot);
};

namespace {

bool in_place(const Pixels* pixels, std::size_t slot, const NumberedArena& arena) {
  return pixels != nullptr && pixels->arena == arena.slots.arena().get() && pixels->slot == slot;
}

}  // namespace

NumberedArena* SlotDispenser::State::arena_of_number(std::uint64_t number) const {
  for (const auto& arena : arenas)
    if (arena->number == number) return arena.get();
  return nullptr;
}

NumberedArena* SlotDispenser::State::arena_of(const Pixels& pixels) const {
  for (const auto& arena : arenas)
    if (pixels.arena == arena->slots.arena().get()) return arena.get();
  return nullptr;
}

// Where a writer begins. Until the first batch has left, all begin with the same arena, however late each starts: the
// first frames of all make up the first batch. Later a writer joins the instant that is being written.
std::uint64_t SlotDispenser::State::first_number() const {
  std::optional<std::uint64_t> first;
  for (const auto& arena : arenas) {
    if (arena->number == kUnnumbered) continue;
    if (!first || (any_left ? arena->number > *first : arena->number < *first))
      first = arena->number;
  }
  return first.value_or(retired);
}

// The number that the writer's next slot is of: an open arena whose slot is free, or one still to be opened.
std::uint64_t SlotDispenser::State::next_number(std::size_t slot) const {
  const std::uint64_t from = writers[slot].cursor ? *writers[slot].cursor : first_number();
  std::uint64_t next = std::max(from, retired);
  while (arena_of_number(next) != nullptr) ++next;
  for (const auto& arena : arenas)
    if (arena->number >= from && arena->slots.is_free(slot)) next = std::min(next, arena->number);
  return next;
}

bool SlotDispenser::State::all_passed(std::uint64_t number) const {
  return std::none_of(writers.begin(), writers.end(), [number](const Writer& writer) {
    return writer.cursor && *writer.cursor <= number;
  });
}

Result<NumberedArena*> SlotDispenser::State::allocate() {
  auto arena = config.memory->allocate(config.num_slots, config.slot_bytes);
  if (!arena) return std::move(arena).error();
  arenas.push_back(std::make_unique<NumberedArena>(*std::move(arena)));
  return arenas.back().get();
}

// A whole arena without a number, by the cheapest way there is. Nobody may lag for ever at the cost of memory: when
// there are as many arenas as wanted, the oldest is taken from under the cursors that have not passed it.
Result<NumberedArena*> SlotDispenser::State::unused_arena() {
  NumberedArena* oldest = nullptr;
  for (const auto& arena : arenas) {
    if (!arena->slots.is_whole()) continue;
    if (arena->number == kUnnumbered) return arena.get();
    if (oldest == nullptr || arena->number < oldest->number) oldest = arena.get();
  }
  const bool passed = oldest != nullptr && all_passed(oldest->number);
  if (!passed && arenas.size() < config.wanted_arenas) {
    auto allocated = allocate();
    if (allocated || oldest == nullptr) return allocated;
  }
  if (oldest != nullptr) {
    retired = std::max(retired, oldest->number + 1);
    oldest->number = kUnnumbered;
    return oldest;
  }
  if (arenas.size() < kMaxArenas) return allocate();
  return Error{Errc::busy, 0,
               "all " + std::to_string(kMaxArenas) + " batches of slots are in use; wait for one"};
}

std::shared_ptr<const Pixels> SlotDispenser::State::hand_out(NumberedArena& arena,
                                                             std::size_t slot) {
  arena.slots.take(slot);
  return arena.slots.hold(
      slot, [state = shared_from_this(), &arena, slot] { state->give_back(arena, slot); });
}

void SlotDispenser::State::give_back(NumberedArena& arena, std::size_t slot) {
  MutexLock lock(mutex);
  arena.slots.give_back(slot);
  ++returns;
  returned.notify_all();
}

// The arena with the most of the wanted frames in place and the slots of the others free; null if none has any.
NumberedArena* SlotDispenser::State::arena_to_gather_into(
    std::span<const std::shared_ptr<const Pixels>> pixels, const std::vector<bool>& wanted) const {
  NumberedArena* best = nullptr;
  std::size_t most = 0;
  for (const auto& arena : arenas) {
    std::size_t num_in_place = 0;
    bool fits = true;
    for (std::size_t i = 0; i < wanted.size() && fits; ++i) {
      if (!wanted[i]) continue;
      const bool there = in_place(pixels[i].get(), i, *arena);
      num_in_place += there;
      fits = there || arena->slots.is_free(i);
    }
    if (!fits || num_in_place <= most) continue;
    best = arena.get();
    most = num_in_place;
  }
  return best;
}

Result<std::shared_ptr<SlotDispenser>> SlotDispenser::make(const Config& config) {
  if (config.memory == nullptr)
    return Error{Errc::invalid_argument, 0, "dispense slots of no memory"};
  if (config.num_slots < 1 || config.num_slots > kMaxSensors || config.slot_bytes < 1 ||
      config.wanted_arenas < 1 || config.wanted_arenas > kMaxArenas)
    return Error{Errc::invalid_argument, 0,
                 "dispense " + std::to_string(config.num_slots) + " slots of " +
                     std::to_string(config.slot_bytes) + " bytes in " +
                     std::to_string(config.wanted_arenas) + " arenas; it must be 1 to " +
                     std::to_string(kMaxSensors) + " slots of a byte at least in 1 to " +
                     std::to_string(kMaxArenas) + " arenas"};
  return std::shared_ptr<SlotDispenser>(new SlotDispenser(std::make_shared<State>(config)));
}

SlotDispenser::SlotDispenser(std::shared_ptr<State> state) : state_(std::move(state)) {}
SlotDispenser::~SlotDispenser() = default;

Result<std::shared_ptr<const Pixels>> SlotDispenser::take(std::size_t slot) {
  if (slot >= num_slots())
    return Error{Errc::invalid_argument, 0,
                 "take slot " + std::to_string(slot) + " of " + std::to_string(num_slots())};
  MutexLock lock(state_->mutex);
  const std::uint64_t number = state_->next_number(slot);
  NumberedArena* arena = state_->arena_of_number(number);
  if (arena == nullptr) {
    auto unused = state_->unused_arena();
    if (!unused) return std::move(unused).error();
    arena = *unused;
    arena->number = number;
  }
  state_->writers[slot].cursor = number + 1;
  return state_->hand_out(*arena, slot);
}

std::uint64_t SlotDispenser::returns() const {
  MutexLock lock(state_->mutex);
  return state_->returns;
}

bool SlotDispenser::wait(std::uint64_t seen, Nanoseconds timeout) const {
  // The end of a longer wait could not be told as a time.
  const auto end =
      std::chrono::steady_clock::now() + std::min<Nanoseconds>(timeout, std::chrono::hours(24));
  MutexLock lock(state_->mutex);
  while (state_->returns == seen)
    if (state_->returned.wait_until(state_->mutex, end) == std::cv_status::timeout)
      return state_->returns != seen;
  return true;
}

void SlotDispenser::wake() {
  MutexLock lock(state_->mutex);
  ++state_->returns;
  state_->returned.notify_all();
}

void SlotDispenser::left_together(std::span<const std::shared_ptr<const Pixels>> pixels) {
  MutexLock lock(state_->mutex);
  std::vector<std::uint64_t> numbers(num_slots(), kUnnumbered);
  std::optional<std::uint64_t> latest;
  for (std::size_t i = 0; i < std::min(pixels.size(), numbers.size()); ++i) {
    if (!pixels[i] || pixels[i]->slot != i) continue;
    const NumberedArena* arena = state_->arena_of(*pixels[i]);
    if (arena == nullptr || arena->number == kUnnumbered) continue;
    numbers[i] = arena->number;
    latest = std::max(latest.value_or(0), arena->number);
  }
  if (!latest) return;
  state_->any_left = true;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    Writer& writer = state_->writers[i];
    if (!writer.cursor || numbers[i] == kUnnumbered || numbers[i] == *latest) continue;
    // Frames that were in flight at the last correction still show the lag that was corrected.
    if (numbers[i] < writer.corrected) continue;
    writer.corrected = *writer.cursor;
    *writer.cursor += *latest - numbers[i];
  }
}

std::shared_ptr<Arena> SlotDispenser::common_arena(
    std::span<const std::shared_ptr<const Pixels>> pixels, const std::vector<bool>& wanted) {
  std::shared_ptr<const Pixels> first;
  for (std::size_t i = 0; i < std::min(wanted.size(), pixels.size()); ++i) {
    if (!wanted[i]) continue;
    if (!pixels[i] || pixels[i]->arena == nullptr || pixels[i]->slot != i) return nullptr;
    if (first && pixels[i]->arena != first->arena) return nullptr;
    first = pixels[i];
  }
  if (!first || first->arena->num_slots() != wanted.size()) return nullptr;
  // Pixels keep what they lie in.
  return {first, const_cast<Arena*>(first->arena)};
}

Result<SlotDispenser::Gathered> SlotDispenser::gather(
    std::span<const std::shared_ptr<const Pixels>> pixels, const std::vector<bool>& wanted) {
  if (pixels.size() != num_slots() || wanted.size() != num_slots() ||
      std::find(wanted.begin(), wanted.end(), true) == wanted.end())
    return Error{Errc::invalid_argument, 0,
                 "gather frames of " + std::to_string(pixels.size()) + " slots, some of " +
                     std::to_string(wanted.size()) + " wanted, where there are " +
                     std::to_string(num_slots())};
  MutexLock lock(state_->mutex);
  NumberedArena* target = state_->arena_to_gather_into(pixels, wanted);
  if (target == nullptr) {
    // It stays without a number until it is whole again: no writer comes to it.
    auto unused = state_->unused_arena();
    if (!unused) return std::move(unused).error();
    target = *unused;
  }
  Gathered gathered{target->slots.arena(), std::vector<std::shared_ptr<const Pixels>>(num_slots()),
                    std::vector<bool>(num_slots(), false)};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) continue;
    gathered.to_fill[i] = !in_place(pixels[i].get(), i, *target);
    gathered.pixels[i] = gathered.to_fill[i] ? state_->hand_out(*target, i) : pixels[i];
  }
  return gathered;
}

std::size_t SlotDispenser::num_arenas() const {
  MutexLock lock(state_->mutex);
  return state_->arenas.size();
}

const SlotDispenser::Config& SlotDispenser::config() const { return state_->config; }

}  // namespace lockstep
