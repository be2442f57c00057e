// SPDX-License-Identifier: MIT
#include "tensor.h"

using namespace lockstep::kernels;

// Six blocks at a time hide more of what memory takes than the registers of four are worth (lockstep bench, cuda/tensor).
#define LOCKSTEP_TENSOR(name, output)                               \
  extern "C" __global__ void __launch_bounds__(kThreads, 6)         \
      name(LOCKSTEP_KERNEL_PARAMETER TensorParameters parameters) { \
    __shared__ SharedAxes<kTensorRows> axes;                        \
    axes.compute(parameters, this_thread());                        \
    __syncthreads();                                                \
    tensor<kTensorRows, output>(parameters, this_thread(), axes);   \
  }

// What most networks take has a kernel of its own.
using HalfPlanar = Output<Element::half, Order::planar>;
LOCKSTEP_TENSOR(tensor_half_planar, HalfPlanar)
LOCKSTEP_TENSOR(tensor_aligned, AnyOutput)

extern "C" __global__ void __launch_bounds__(kThreads)
    tensor_any(LOCKSTEP_KERNEL_PARAMETER TensorParameters parameters) {
  tensor_of_any(parameters, this_thread());
}
