// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace lockstep {

/// Counts the frames that a sensor lost by the gaps in its sequence, as Delivered::skipped wants them: those of a time
/// when the device was away are lost, those between stop() and start() are not.
class SequenceGaps {
 public:
  /// Sensor::start(): a stream begins, with frame `first` where that is known.
  void begin(std::optional<std::uint64_t> first = std::nullopt) { expected_ = first; }

  /// How many frames are missing between the last one and this.
  std::uint32_t before(std::uint64_t sequence) {
    const std::uint64_t gap = expected_ && sequence > *expected_ ? sequence - *expected_ : 0;
    expected_ = sequence + 1;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(gap, UINT32_MAX));
  }

  /// The number after the last one's; 0 where nothing is known yet.
  std::uint64_t next() const { return expected_.value_or(0); }

 private:
  std::optional<std::uint64_t> expected_;
};

}  // namespace lockstep
