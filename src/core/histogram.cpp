// SPDX-License-Identifier: MIT
#include "lockstep/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lockstep {
namespace {

constexpr int kStepBits = 4;

std::size_t bucket_of(std::uint64_t value) {
  if (value < 16) return value;
  const int shift = std::bit_width(value) - 1 - kStepBits;
  return static_cast<std::size_t>(shift + 1) * 16 + ((value >> shift) & 15);
}

std::uint64_t top_of(std::size_t bucket) {
  if (bucket < 16) return bucket;
  const int shift = static_cast<int>(bucket / 16) - 1;
  return ((16 + bucket % 16 + 1) << shift) - 1;
}

}  // namespace

void Histogram::add(Nanoseconds value) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
  ++buckets_[bucket_of(ns)];
  ++count_;
  max_ = std::max(max_, Nanoseconds(ns));
}

Nanoseconds Histogram::percentile(double fraction) const {
  if (count_ == 0) return Nanoseconds(0);
  const double share = fraction > 0 ? std::min(fraction, 1.0) : 0.0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted)
      return std::min(max_, Nanoseconds(static_cast<std::int64_t>(top_of(bucket))));
  }
  return max_;
}

}  // namespace lockstep
