// SPDX-License-Identifier: MIT
#include "tensor.h"

using namespace lockstep::kernels;

#define LOCKSTEP_TENSOR(name, body)                                 \
  extern "C" __global__ void __launch_bounds__(kThreads)            \
      name(LOCKSTEP_KERNEL_PARAMETER TensorParameters parameters) { \
    body(parameters, this_thread());                                \
  }

// What most networks take has kernels of its own.
using HalfPlanar = Output<Element::half, Order::planar>;
LOCKSTEP_TENSOR(tensor_half_planar, (tensor<kTensorRows, HalfPlanar>))
LOCKSTEP_TENSOR(tensor_aligned, (tensor<kTensorRows, AnyOutput>))
LOCKSTEP_TENSOR(tensor_any, tensor_of_any)
