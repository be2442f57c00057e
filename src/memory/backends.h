// SPDX-License-Identifier: MIT
#pragma once

#include "lockstep/memory.h"

namespace lockstep {

// Every memory backend of this build: one file, one line here, one in registry.cpp, one in the
// build.
const MemoryBackend* memfd_backend();
const MemoryBackend* udmabuf_backend();
/// The memory of the GPU of that number, whether or not there is one; null in a build without CUDA.
const MemoryBackend* cuda_backend(int ordinal);

}  // namespace lockstep
