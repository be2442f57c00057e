// SPDX-License-Identifier: MIT
// Times in calculations.
#pragma once

#include <cmath>

#include "lockstep/time.h"

namespace lockstep {

inline double as_double(Nanoseconds value) { return static_cast<double>(value.count()); }

inline Nanoseconds rounded(double ns) { return Nanoseconds(std::llround(ns)); }

}  // namespace lockstep
