// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "lockstep/export.h"
#include "lockstep/time.h"

namespace lockstep {

/// Counts durations so that percentiles can be told within 1/16, in fixed memory, however many come
/// in.
///
/// \units   nanoseconds; below 16 exact, then 16 steps per power of two, up to 2^63.
/// \thread  one caller at a time; copying is a snapshot.
class LOCKSTEP_API Histogram {
 public:
  void add(Nanoseconds value);
  std::uint64_t count() const { return count_; }
  /// The smallest value that at least `fraction` of all values do not exceed, rounded up to its
  /// step; 0 if empty. A fraction below 0, or that is not a number, counts as 0, one above 1 as 1.
  Nanoseconds percentile(double fraction) const;
  Nanoseconds max() const { return max_; }

 private:
  static constexpr std::size_t kSteps = 16;
  static constexpr std::size_t kBuckets = 61 * kSteps;
  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  Nanoseconds max_{0};
};

}  // namespace lockstep
