// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lockstep/memory.h"
#include "lockstep/sensor.h"
#include "support/mutex.h"

namespace lockstep {

/// A place for one frame.
struct SimTarget {
  std::span<std::byte> bytes;
  std::size_t arena_index = Delivered::kLent;
  std::shared_ptr<const Pixels> lent;  ///< What `bytes` are part of, if they are the sensor's own.
};

/// The buffers that a lending simulated sensor has of its own. They outlive it: each comes back
/// when its last user drops it, and goes with the pool when that is the last.
class SimBuffers : public std::enable_shared_from_this<SimBuffers> {
 public:
  SimBuffers(std::size_t size_bytes, std::size_t most) : size_bytes_(size_bytes), most_(most) {}

  bool empty() const;
  /// Nothing if the most that may be out are, or memory is short.
  std::optional<SimTarget> take();

 private:
  struct Buffer {
    Pixels pixels;
    std::unique_ptr<std::byte[]> bytes;
  };

  void give_back(std::unique_ptr<Buffer> buffer);
  std::unique_ptr<Buffer> make() const;

  const std::size_t size_bytes_;
  const std::size_t most_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Buffer>> free_ LOCKSTEP_GUARDED_BY(mutex_);
  std::size_t num_out_ LOCKSTEP_GUARDED_BY(mutex_) = 0;
};

/// Where a simulated sensor's next frames go: the slots that are queued, or buffers of its own.
/// \thread  one caller at a time.
class SimTargets {
 public:
  /// Slots to be queued.
  void use_slots(std::span<const SlotView> slots);
  /// Buffers of its own, `most` of which may be out at once.
  void use_buffers(std::size_t size_bytes, std::size_t most);

  /// \errors  invalid_argument  no such slot, or it is queued already.
  Result<void> queue(std::size_t arena_index);
  bool empty() const;
  /// The slot that waits longest.
  std::optional<SimTarget> take();
  /// No slot is queued any more.
  void clear() { queued_.clear(); }

 private:
  std::vector<SlotView> slots_;
  std::deque<std::size_t> queued_;
  std::shared_ptr<SimBuffers> buffers_;
};

}  // namespace lockstep
