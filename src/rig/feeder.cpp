// SPDX-License-Identifier: MIT
#include "rig/feeder.h"

#include <algorithm>
#include <utility>

namespace lockstep {

Feeder::Feeder(std::shared_ptr<SlotPool> pool, std::size_t num_arenas, std::size_t depth,
               Queue queue)
    : pool_(std::move(pool)),
      num_arenas_(num_arenas),
      depth_(depth),
      queue_(std::move(queue)),
      fed_(pool_->num_slots(), false),
      in_pipe_(pool_->num_slots(), 0),
      queued_(pool_->num_slots()) {}

void Feeder::set_fed(std::size_t sensor, bool fed) { fed_[sensor] = fed; }

void Feeder::filled(std::size_t sensor, std::size_t arena) {
  auto& queued = queued_[sensor];
  const auto found = std::find(queued.begin(), queued.end(), arena);
  if (found != queued.end()) queued.erase(found);
}

void Feeder::left(std::size_t sensor) {
  if (in_pipe_[sensor] > 0) --in_pipe_[sensor];
}

void Feeder::refill() {
  for (std::size_t arena = best_arena(); arena < num_arenas_; arena = best_arena())
    queue_round(arena);
}

std::size_t Feeder::best_arena() const {
  std::size_t best = num_arenas_;
  bool any_short = false;
  for (std::size_t i = 0; i < fed_.size(); ++i) any_short = any_short || is_short(i);
  if (!any_short) return best;
  std::size_t most_helped = 0;
  for (std::size_t k = 0; k < num_arenas_; ++k) {
    if (pool_->is_whole(k)) return k;
    std::size_t helped = 0;
    for (std::size_t i = 0; i < fed_.size(); ++i) helped += is_short(i) && pool_->is_free(k, i);
    if (helped > most_helped) {
      most_helped = helped;
      best = k;
    }
  }
  return best;
}

void Feeder::queue_round(std::size_t arena) {
  for (std::size_t i = 0; i < fed_.size(); ++i) {
    if (!is_short(i) || !pool_->is_free(arena, i)) continue;
    pool_->take(arena, i);
    ++in_pipe_[i];
    queued_[i].push_back(arena);
    if (!queue_(i, arena)) lost(i);
  }
}

void Feeder::refill_if_dry() {
  for (std::size_t i = 0; i < fed_.size(); ++i) {
    if (!fed_[i] || in_pipe_[i] > depth_ / 2) continue;
    refill();
    return;
  }
}

void Feeder::lost(std::size_t sensor) {
  fed_[sensor] = false;
  for (std::size_t arena : queued_[sensor]) {
    pool_->give_back(arena, sensor);
    left(sensor);
  }
  queued_[sensor].clear();
}

}  // namespace lockstep
