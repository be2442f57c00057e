// SPDX-License-Identifier: MIT
#include "rig/slot_pool.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "memory/available.h"

namespace lockstep {

Result<std::shared_ptr<SlotPool>> SlotPool::make(const MemoryBackend& backend,
                                                 std::size_t num_arenas, std::size_t num_slots,
                                                 std::size_t slot_bytes) {
  auto pool = std::make_shared<SlotPool>();
  pool->num_slots_ = num_slots;
  pool->notice_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!pool->notice_) return system_error(errno, "make an eventfd");
  // Asked once for all: taking what there is before it runs out would starve everybody else.
  const std::size_t batch_bytes = num_slots * slot_bytes;
  const std::size_t available = num_arenas > 0 ? backend.available_bytes() : 0;
  if (num_arenas > 0 && batch_bytes > available / num_arenas) {
    Error error = no_memory(ENOMEM, batch_bytes * num_arenas, num_arenas, available);
    error.what = "memory=" + std::string(backend.name()) + ": " + error.what;
    return error;
  }
  for (std::size_t k = 0; k < num_arenas; ++k) {
    auto arena = backend.allocate(num_slots, slot_bytes);
    if (!arena) {
      Error error = std::move(arena).error();
      error.what = "allocate batch " + std::to_string(k + 1) + " of " + std::to_string(num_arenas) +
                   ": " + error.what;
      return error;
    }
    pool->arenas_.push_back(std::make_unique<ArenaSlots>(*std::move(arena)));
  }
  return pool;
}

std::shared_ptr<const Pixels> SlotPool::hold(std::size_t arena, std::size_t slot) {
  return arenas_[arena]->hold(
      slot, [pool = shared_from_this(), arena, slot] { pool->give_back(arena, slot); });
}

SlotPool::Ticket::Ticket(std::shared_ptr<SlotPool> pool) : pool_(std::move(pool)) {
  pool_->batches_out_.fetch_add(1);
}

SlotPool::Ticket::~Ticket() {
  // Sequentially consistent with want_notice(): the rig sees the batch gone, or we see that it waits.
  pool_->batches_out_.fetch_sub(1);
  if (pool_->wants_notice_.load()) eventfd_write(pool_->notice_.get(), 1);
}

std::shared_ptr<const Pixels> SlotPool::with_ticket(std::shared_ptr<const Pixels> pixels,
                                                    std::shared_ptr<Ticket> ticket) {
  // The slot must be free before its batch counts as ended.
  struct Keep {
    std::shared_ptr<Ticket> ticket;
    std::shared_ptr<const Pixels> pixels;
    void operator()(const Pixels*) {
      pixels.reset();
      ticket.reset();
    }
  };
  const Pixels* bare = pixels.get();
  return {bare, Keep{std::move(ticket), std::move(pixels)}};
}

}  // namespace lockstep
