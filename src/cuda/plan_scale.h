// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "cuda/kernels/parameters.h"

namespace lockstep {

/// From that many pixels to that many. \shape  both up to kMaxSide.
inline kernels::Scale scale_of(std::uint32_t from, std::uint32_t to) {
  return {static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to),
          static_cast<float>(0.5 / to)};
}

}  // namespace lockstep
