// SPDX-License-Identifier: MIT
#pragma once

#include "lockstep/memory.h"

namespace lockstep {

// Every memory backend of this build: one file, one line here, one in registry.cpp, one in the
// build.
const MemoryBackend* memfd_backend();
const MemoryBackend* udmabuf_backend();

}  // namespace lockstep
