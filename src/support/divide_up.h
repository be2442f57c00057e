// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace lockstep {

/// How many groups of `size` hold `count`. It must fit 32 bits.
constexpr std::uint32_t divide_up(std::uint64_t count, std::uint32_t size) {
  return static_cast<std::uint32_t>((count + size - 1) / size);
}

}  // namespace lockstep
