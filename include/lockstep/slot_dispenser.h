// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/export.h"
#include "lockstep/frame.h"
#include "lockstep/memory.h"
#include "lockstep/result.h"
#include "lockstep/time.h"

namespace lockstep {

/// Slots of coming batches for writers that ask for them one by one: decoders, sources, threads of a program's own.
///
/// A rig gives its sensors slots; here each writer takes one when it wants to write. Writer i gets slot i of one arena
/// after the other, so that writers which write a frame each per instant fill the same arena, and the batch of that
/// instant is contiguous without a copy. Whoever puts the batches together says with left_together() what lay in each,
/// which brings a writer that skipped a frame back into step. docs/design/memory.md, "Writers that ask", draws it.
///
/// Arenas are allocated when they are first needed, and reused when all of their slots are back.
///
/// \thread  any thread may call anything. Pixels may be dropped on any thread, after the dispenser is gone too.
class LOCKSTEP_API SlotDispenser {
 public:
  /// No more arenas than these, whatever is held.
  static constexpr std::size_t kMaxArenas = 64;

  /// What to dispense.
  struct Config {
    const MemoryBackend* memory =
        nullptr;                 ///< Where the arenas come from; called with a lock held.
    std::size_t num_slots = 0;   ///< One per writer, 1 to kMaxSensors.
    std::size_t slot_bytes = 0;  ///< Least size of a slot.
    /// So many arenas are allocated before a writer that lags is made to skip one; 1 to kMaxArenas.
    std::size_t wanted_arenas = 6;
  };

  /// \errors  invalid_argument  no backend, no slot, no byte, more than kMaxSensors slots, or wanted_arenas out of range.
  static Result<std::shared_ptr<SlotDispenser>> make(const Config& config);
  ~SlotDispenser();
  SlotDispenser(const SlotDispenser&) = delete;
  SlotDispenser& operator=(const SlotDispenser&) = delete;

  /// The next slot for a writer. It is given back when the last reference to its pixels goes.
  ///
  /// \errors  busy              every arena there may be is in use: wait() for a slot to come back, or do without.
  ///          invalid_argument  no such slot.
  ///          others            as MemoryBackend::allocate(); nothing is lost, call again when there is memory.
  /// \thread  allocates if need be; does not wait for slots.
  Result<std::shared_ptr<const Pixels>> take(std::size_t slot);

  /// How many slots have come back, calls of wake() included: for wait().
  std::uint64_t returns() const;
  /// Waits until returns() is not `seen` any more; false if it still is after `timeout`. Read returns() first, then
  /// take(), then wait: what came back in between is not missed.
  bool wait(std::uint64_t seen, Nanoseconds timeout) const;
  /// Makes every wait() return whose `seen` was read before.
  void wake();

  /// Tells what lies in the batch that just left, so that writers out of step come back into step.
  ///
  /// `pixels[i]` is the frame that writer i wrote for this very instant, as it wrote it; null where it is missing,
  /// repeated, or in other memory: such a writer is left as it is. To be told once per batch.
  void left_together(std::span<const std::shared_ptr<const Pixels>> pixels);

  /// The arena that holds every wanted frame at its own slot, be it one of a dispenser or of a Rig, or null if there is
  /// none. It lives as long as what is returned.
  ///
  /// `pixels[i]` is null where frame i is in other memory, or in a layout that is not wanted. Both have an entry per
  /// slot.
  static std::shared_ptr<Arena> common_arena(std::span<const std::shared_ptr<const Pixels>> pixels,
                                             const std::vector<bool>& wanted);

  /// Every wanted frame in one arena.
  struct Gathered {
    std::shared_ptr<Arena> arena;
    std::vector<std::shared_ptr<const Pixels>> pixels;  ///< Null where not wanted.
    std::vector<bool>
        to_fill;  ///< Whether pixels[i] is a slot that the caller now copies frame i into.
  };

  /// Finds the arena that the fewest frames must be copied into to have all wanted ones in it. Frames that lie in it
  /// stay; for the others slots are taken, which the caller fills. Arguments as of common_arena().
  ///
  /// \errors  busy              no arena has the slots free, see take(): leave the batch by reference.
  ///          invalid_argument  nothing is wanted, or a number of entries that is not num_slots().
  ///          others            as MemoryBackend::allocate().
  Result<Gathered> gather(std::span<const std::shared_ptr<const Pixels>> pixels,
                          const std::vector<bool>& wanted);

  /// How many arenas are allocated.
  std::size_t num_arenas() const;
  const Config& config() const;
  std::size_t num_slots() const { return config().num_slots; }

 private:
  struct State;
  explicit SlotDispenser(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace lockstep
