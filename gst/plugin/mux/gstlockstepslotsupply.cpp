// SPDX-License-Identifier: MIT
#include "gstlockstepslotsupply.h"

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

using Outlets = std::vector<std::shared_ptr<SlotOutlet>>;

// Whether all who have slots keep them: pads begin one after the other, and those that have begun stay in step.
bool only_adds_to(const Outlets& before, const Outlets& after) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(),
                    [](const auto& old, const auto& now) { return !old || old == now; });
}

}  // namespace

std::shared_ptr<SlotOutlet> SlotSupply::new_outlet() {
  return std::make_shared<SlotOutlet>(memory_.fd_kind(), [weak = weak_from_this()] {
    // What goes wrong here the pool finds out by itself: it still has no slots.
    if (auto supply = weak.lock()) (void)supply->dispenser_for(1);
  });
}

void SlotSupply::arrange(std::vector<std::shared_ptr<SlotOutlet>> by_slot) {
  std::lock_guard lock(mutex_);
  if (by_slot == outlets_) return;
  if (only_adds_to(outlets_, by_slot)) {
    outlets_ = std::move(by_slot);
    for (std::size_t slot = 0; dispenser_ && slot < outlets_.size(); ++slot)
      if (outlets_[slot]) outlets_[slot]->set(dispenser_, slot);
    return;
  }
  for (const auto& outlet : outlets_)
    if (outlet) outlet->set(nullptr, 0);
  outlets_ = std::move(by_slot);
  dispenser_.reset();
}

std::shared_ptr<SlotDispenser> SlotSupply::dispenser() const {
  std::lock_guard lock(mutex_);
  return dispenser_;
}

Result<std::shared_ptr<SlotDispenser>> SlotSupply::dispenser_for(std::size_t slot_bytes) {
  std::lock_guard lock(mutex_);
  for (const auto& outlet : outlets_)
    if (outlet) slot_bytes = std::max(slot_bytes, outlet->slot_bytes());
  if (!dispenser_ || dispenser_->config().slot_bytes < slot_bytes) {
    if (auto renewed = renew(slot_bytes); !renewed) return renewed.error();
  }
  return dispenser_;
}

Result<void> SlotSupply::renew(std::size_t slot_bytes) {
  SlotDispenser::Config config;
  config.memory = &memory_;
  config.num_slots = outlets_.size();
  config.slot_bytes = slot_bytes;
  auto dispenser = SlotDispenser::make(config);
  if (!dispenser) return dispenser.error();
  dispenser_ = *std::move(dispenser);
  for (std::size_t slot = 0; slot < outlets_.size(); ++slot)
    if (outlets_[slot]) outlets_[slot]->set(dispenser_, slot);
  return {};
}

}  // namespace lockstep
