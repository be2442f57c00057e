// SPDX-License-Identifier: MIT
#pragma once

#include "cuda/kernels/parameters.h"
#include "lockstep/cuda_kernels.h"

namespace lockstep {

/// What makes red, green and blue (in this order, or with blue first) of samples of 8 bits, or of 10 at the top of 16.
///
/// \source  ITU-R BT.601-7 and BT.709-6, tables 3, BT.2020-2, table 4, and SMPTE 240M: Kr and Kb, and the levels of 8 and
///          10 bits.
kernels::Conversion conversion(ColourMatrix matrix, ColourRange range, bool ten_bits,
                               bool blue_first = false);

}  // namespace lockstep
