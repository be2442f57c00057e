// SPDX-License-Identifier: MIT
#include "gather.h"

using namespace lockstep::kernels;

#define LOCKSTEP_GATHER(name, loads, from, to)                            \
  extern "C" __global__ void __launch_bounds__(kThreads)                  \
      name(LOCKSTEP_KERNEL_PARAMETER GatherParameters parameters) {       \
    gather<loads, Caching::from, Caching::to>(parameters, this_thread()); \
  }

LOCKSTEP_GATHER(gather_2, 2, normal, normal)
LOCKSTEP_GATHER(gather_4, 4, normal, normal)
LOCKSTEP_GATHER(gather_8, 8, normal, normal)
LOCKSTEP_GATHER(gather_4_read, 4, streamed, normal)
LOCKSTEP_GATHER(gather_4_both, 4, streamed, streamed)
