// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

namespace lockstep {

/// The mean that automatic exposure goes for where nothing else is asked for. \units response, 0..1
inline constexpr double kTarget = 0.16;

/// How far a mean is off it, as a share of it.
inline double off_target(double mean) { return std::abs(mean / kTarget - 1); }

}  // namespace lockstep
