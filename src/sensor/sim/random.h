// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace lockstep {

/// Numbers that look random but depend on their arguments alone, so that frame k meets the same
/// fate in every run, whatever else was asked before.
class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed) : seed_(mix(seed)) {}

  /// 64 bits for event `k` of kind `stream`.
  std::uint64_t bits(std::uint64_t stream, std::uint64_t k) const {
    return mix(mix(seed_ ^ stream) ^ k);
  }

  /// Evenly spread, 0 <= value < 1.
  double uniform(std::uint64_t stream, std::uint64_t k) const {
    return static_cast<double>(bits(stream, k) >> 11) * 0x1p-53;
  }

 private:
  // The finaliser of the generator SplitMix64 (Steele, Lea, Flood 2014), after one step of it.
  static constexpr std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  }

  std::uint64_t seed_;
};

}  // namespace lockstep
