// SPDX-License-Identifier: MIT
// The kernels as nvcc made them (PTX), written by embed.py when the library is built.
#pragma once

namespace lockstep::kernels {

extern const char kMadeByCuda[];      ///< Version of CUDA, as in "13.0".
extern const char kMadeForCompute[];  ///< Least compute capability, as in "7.5".
extern const char kGatherImage[];
extern const char kTensorImage[];
extern const char kTileImage[];

}  // namespace lockstep::kernels
