// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "lockstep/result.h"

namespace lockstep {

/// What the kernel says can be had without swapping or killing anyone; the maximum where it does not say.
/// \units   bytes.
/// \source  MemAvailable in /proc/meminfo, kernel "The /proc Filesystem".
std::size_t available_bytes();

/// The error of a batch, or of `num_batches` of them, of `wanted` bytes in all that cannot be had.
Error no_memory(int os_error, std::size_t wanted, std::size_t num_batches = 1,
                std::size_t available = available_bytes());

}  // namespace lockstep
