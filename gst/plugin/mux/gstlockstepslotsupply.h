// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "gstlockstepslotpool.h"
#include "lockstep/memory.h"
#include "lockstep/slot_dispenser.h"

namespace lockstep {

/// The slots that the pads of a mux are offered to write into: an outlet for each pad, one dispenser for all.
///
/// \thread  any thread may call anything.
class SlotSupply : public std::enable_shared_from_this<SlotSupply> {
 public:
  explicit SlotSupply(const MemoryBackend& memory) : memory_(memory) {}

  const MemoryBackend& memory() const { return memory_; }
  /// A new outlet; it gives nothing before it is part of arrange(). Close it when its pad goes.
  std::shared_ptr<SlotOutlet> new_outlet();
  /// Which outlet fills which slot from now on, null where none does. More slots than kMaxSensors: none is offered.
  void arrange(std::vector<std::shared_ptr<SlotOutlet>> by_slot);
  /// Where slots come from now; null before any was asked for.
  std::shared_ptr<SlotDispenser> dispenser() const;
  /// The same, made if need be, with slots of at least that size.
  /// \errors  as SlotDispenser::make().
  Result<std::shared_ptr<SlotDispenser>> dispenser_for(std::size_t slot_bytes);

 private:
  Result<void> renew(std::size_t slot_bytes);

  const MemoryBackend& memory_;
  mutable std::mutex mutex_;  // taken before the outlets'; guards all below
  std::vector<std::shared_ptr<SlotOutlet>> outlets_;
  std::shared_ptr<SlotDispenser> dispenser_;
};

}  // namespace lockstep
