// SPDX-License-Identifier: MIT
#include "rig/slot_pool.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "memory/available.h"

namespace lockstep {

SlotPool::Entry::Entry(std::shared_ptr<Arena> memory, std::size_t num_slots)
    : arena(std::move(memory)), pixels(num_slots), free(num_slots), num_free(num_slots) {
  for (std::size_t i = 0; i < num_slots; ++i) {
    const SlotView view = arena->slot(i);
    pixels[i] = Pixels{view.data, view.size_bytes, view.fd, view.fd_kind, arena.get(), i};
    free[i].store(true);
  }
}

Result<std::shared_ptr<SlotPool>> SlotPool::make(const MemoryBackend& backend,
                                                 std::size_t num_arenas, std::size_t num_slots,
                                                 std::size_t slot_bytes) {
  auto pool = std::make_shared<SlotPool>();
  pool->num_slots_ = num_slots;
  pool->notice_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!pool->notice_) return system_error(errno, "make an eventfd");
  // Asked once for all: taking what there is before it runs out would starve everybody else.
  const std::size_t batch_bytes = num_slots * slot_bytes;
  if (batch_bytes > available_bytes() / num_arenas)
    return no_memory(ENOMEM, batch_bytes * num_arenas, num_arenas);
  for (std::size_t k = 0; k < num_arenas; ++k) {
    auto arena = backend.allocate(num_slots, slot_bytes);
    if (!arena) {
      Error error = std::move(arena).error();
      error.what = "allocate batch " + std::to_string(k + 1) + " of " + std::to_string(num_arenas) +
                   ": " + error.what;
      return error;
    }
    pool->arenas_.push_back(std::make_unique<Entry>(*std::move(arena), num_slots));
  }
  return pool;
}

bool SlotPool::is_free(std::size_t arena, std::size_t slot) const {
  return arenas_[arena]->free[slot].load(std::memory_order_acquire);
}

bool SlotPool::is_whole(std::size_t arena) const {
  return arenas_[arena]->num_free.load(std::memory_order_acquire) == num_slots_;
}

void SlotPool::take(std::size_t arena, std::size_t slot) {
  arenas_[arena]->free[slot].store(false, std::memory_order_relaxed);
  arenas_[arena]->num_free.fetch_sub(1, std::memory_order_relaxed);
}

void SlotPool::give_back(std::size_t arena, std::size_t slot) {
  arenas_[arena]->free[slot].store(true, std::memory_order_release);
  arenas_[arena]->num_free.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const Pixels> SlotPool::hold(std::size_t arena, std::size_t slot) {
  return {&arenas_[arena]->pixels[slot], [pool = shared_from_this(), arena, slot](const Pixels*) {
            pool->give_back(arena, slot);
          }};
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
