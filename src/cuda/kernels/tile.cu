// SPDX-License-Identifier: MIT
#include "tile.h"

using namespace lockstep;

extern "C" __global__ void __launch_bounds__(kernels::kThreads)
    tile(LOCKSTEP_KERNEL_PARAMETER kernels::TileParameters parameters) {
  kernels::tile(parameters, kernels::this_thread());
}

extern "C" __global__ void __launch_bounds__(kernels::kThreads)
    fill(LOCKSTEP_KERNEL_PARAMETER kernels::FillParameters parameters) {
  kernels::fill(parameters, kernels::this_thread());
}
