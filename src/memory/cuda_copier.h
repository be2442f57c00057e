// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "lockstep/cuda.h"
#include "lockstep/memory.h"

namespace lockstep {

/// What copies frames into arenas on that GPU.
///
/// \errors  out_of_memory, io  no stream can be had, or the kernels cannot be loaded.
Result<std::unique_ptr<FrameCopier>> make_cuda_copier(std::shared_ptr<CudaDevice> device);

}  // namespace lockstep
