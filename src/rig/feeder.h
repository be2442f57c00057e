// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/result.h"
#include "rig/slot_pool.h"

namespace lockstep {

/// Decides which slot each sensor gets next, so that all fill the same arena at the same trigger.
///
/// Every sensor should have `depth` slots in its pipe: queued, or filled and waiting for partners. Slots are handed
/// out in rounds: a round picks one arena and queues its slots to every sensor whose pipe is short. A sensor that
/// skipped a frame still has the slot of that trigger in its pipe, is not short and is passed over once: this puts it
/// back into step. docs/design/memory.md draws it.
///
/// \thread  one caller at a time.
class Feeder {
 public:
  /// Queues the slot of an arena to a sensor. False: the sensor went away; what it had is free again.
  using Queue = std::function<bool(std::size_t sensor, std::size_t arena)>;

  /// Hands out slots of the first `num_arenas` arenas of the pool.
  Feeder(std::shared_ptr<SlotPool> pool, std::size_t num_arenas, std::size_t depth, Queue queue);

  /// A sensor takes part from now on, with nothing in its pipe; or no more.
  void set_fed(std::size_t sensor, bool fed);
  bool is_fed(std::size_t sensor) const { return fed_[sensor]; }

  /// The sensor has filled the slot it had in `arena`; it stays in the pipe until left().
  void filled(std::size_t sensor, std::size_t arena);
  /// A frame of the sensor has gone on into a batch, or was dropped.
  void left(std::size_t sensor);

  /// Fills every short pipe, as far as there are free slots. Call when a set has left.
  void refill();
  /// Fills pipes only if one of them is about to run dry. Call when single frames were dropped.
  void refill_if_dry();

  /// The sensor went away: its queued slots are free again. Its filled ones stay the caller's.
  void lost(std::size_t sensor);

 private:
  /// The arena with which the most short pipes can be helped, whole ones first; num_arenas_ if none.
  std::size_t best_arena() const;
  void queue_round(std::size_t arena);
  bool is_short(std::size_t sensor) const { return fed_[sensor] && in_pipe_[sensor] < depth_; }

  std::shared_ptr<SlotPool> pool_;
  std::size_t num_arenas_;
  std::size_t depth_;
  Queue queue_;
  std::vector<bool> fed_;
  std::vector<std::size_t> in_pipe_;              // per sensor: queued, or filled and not left
  std::vector<std::vector<std::size_t>> queued_;  // per sensor: arenas, oldest first
};

}  // namespace lockstep
