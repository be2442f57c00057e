// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "lockstep/frame.h"
#include "lockstep/memory.h"
#include "rig/arena_slots.h"
#include "support/unique_fd.h"

namespace lockstep {

/// The arenas of a rig and who has which slot: nobody (free), a sensor or the rig (taken), or whoever holds its Pixels.
///
/// Lives as long as the last frame that is out, beyond the rig if need be.
///
/// \thread  take() and the questions from one thread; slots come back, and batches end, on any.
class SlotPool : public std::enable_shared_from_this<SlotPool> {
 public:
  /// A pool may have no arena, for sensors that lend what nobody copies.
  ///
  /// \errors  as MemoryBackend::allocate(); nothing stays allocated.
  static Result<std::shared_ptr<SlotPool>> make(const MemoryBackend& backend,
                                                std::size_t num_arenas, std::size_t num_slots,
                                                std::size_t slot_bytes);

  std::size_t num_arenas() const { return arenas_.size(); }
  std::size_t num_slots() const { return num_slots_; }
  const std::shared_ptr<Arena>& arena(std::size_t index) const { return arenas_[index]->arena(); }

  bool is_free(std::size_t arena, std::size_t slot) const { return arenas_[arena]->is_free(slot); }
  /// Whether every slot of the arena is free.
  bool is_whole(std::size_t arena) const { return arenas_[arena]->is_whole(); }
  void take(std::size_t arena, std::size_t slot) { arenas_[arena]->take(slot); }
  void give_back(std::size_t arena, std::size_t slot) { arenas_[arena]->give_back(slot); }

  /// The pixels of a slot that is taken; the slot is given back when the last reference goes.
  std::shared_ptr<const Pixels> hold(std::size_t arena, std::size_t slot);

  /// One batch that is out. It ends when the last of the pixels that carry it goes.
  class Ticket {
   public:
    explicit Ticket(std::shared_ptr<SlotPool> pool);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    std::shared_ptr<SlotPool> pool_;
  };

  /// The same pixels, which now also keep the batch's ticket.
  static std::shared_ptr<const Pixels> with_ticket(std::shared_ptr<const Pixels> pixels,
                                                   std::shared_ptr<Ticket> ticket);

  std::size_t batches_out() const { return batches_out_.load(); }
  /// Becomes readable when a batch ends while a notice is wanted.
  int notice_fd() const { return notice_.get(); }
  void want_notice(bool wanted) { wants_notice_.store(wanted); }

 private:
  std::vector<std::unique_ptr<ArenaSlots>> arenas_;
  std::size_t num_slots_ = 0;
  std::atomic<std::size_t> batches_out_{0};
  std::atomic<bool> wants_notice_{false};
  UniqueFd notice_;
};

}  // namespace lockstep
