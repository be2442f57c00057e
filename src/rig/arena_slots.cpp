// SPDX-License-Identifier: MIT
#include "rig/arena_slots.h"

namespace lockstep {

ArenaSlots::ArenaSlots(std::shared_ptr<Arena> arena)
    : arena_(std::move(arena)),
      pixels_(arena_->num_slots()),
      free_(pixels_.size()),
      num_free_(pixels_.size()) {
  for (std::size_t i = 0; i < pixels_.size(); ++i) {
    const SlotView view = arena_->slot(i);
    pixels_[i] =
        Pixels{view.data, view.size_bytes, view.fd, view.fd_kind, arena_.get(), i, view.cuda};
    free_[i].store(true);
  }
}

bool ArenaSlots::is_free(std::size_t slot) const {
  return free_[slot].load(std::memory_order_acquire);
}

bool ArenaSlots::is_whole() const {
  return num_free_.load(std::memory_order_acquire) == pixels_.size();
}

void ArenaSlots::take(std::size_t slot) {
  free_[slot].store(false, std::memory_order_relaxed);
  num_free_.fetch_sub(1, std::memory_order_relaxed);
}

void ArenaSlots::give_back(std::size_t slot) {
  free_[slot].store(true, std::memory_order_release);
  num_free_.fetch_add(1, std::memory_order_release);
}

}  // namespace lockstep
