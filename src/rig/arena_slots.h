// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "lockstep/frame.h"
#include "lockstep/memory.h"

namespace lockstep {

/// One arena and which of its slots are free.
///
/// \thread  is_free(), is_whole() and take() one caller at a time; give_back() on any thread.
class ArenaSlots {
 public:
  explicit ArenaSlots(std::shared_ptr<Arena> arena);

  const std::shared_ptr<Arena>& arena() const { return arena_; }
  bool is_free(std::size_t slot) const;
  /// Whether every slot is free.
  bool is_whole() const;
  void take(std::size_t slot);
  void give_back(std::size_t slot);

  /// The pixels of a slot that is taken; `give_back` is called when the last reference goes, and keeps this alive.
  template <typename GiveBack>
  std::shared_ptr<const Pixels> hold(std::size_t slot, GiveBack give_back) {
    return {&pixels_[slot], [give_back = std::move(give_back)](const Pixels*) { give_back(); }};
  }

 private:
  std::shared_ptr<Arena> arena_;
  std::vector<Pixels> pixels_;
  std::vector<std::atomic<bool>> free_;
  std::atomic<std::size_t> num_free_;
};

}  // namespace lockstep
