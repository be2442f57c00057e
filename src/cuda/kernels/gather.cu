// SPDX-License-Identifier: MIT
#include "gather.h"

using namespace lockstep;

extern "C" __global__ void __launch_bounds__(kernels::kThreads)
    gather(LOCKSTEP_KERNEL_PARAMETER kernels::GatherParameters parameters) {
  kernels::gather(parameters, kernels::this_thread());
}
