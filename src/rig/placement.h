// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

#include "lockstep/memory.h"
#include "lockstep/rig.h"
#include "lockstep/sensor.h"

namespace lockstep {

/// How a sensor delivers.
struct FrameSource {
  Delivery delivery = Delivery::fill;
  MemorySpace lends_in = MemorySpace::host;  ///< As Sensor::lends_in().
};

/// Where frames are asked for.
struct Wanted {
  BatchLayout layout = BatchLayout::automatic;
  std::string_view memory;  ///< The backend's name, for messages.
  MemorySpace space = MemorySpace::host;
  FdKind fd_kind = FdKind::memfd;
};

/// Whether frames may have to be copied into arenas: all that lie elsewhere if batches are to be contiguous; lent ones if
/// they are not the memory that was asked for.
bool may_copy(const Wanted& wanted, std::span<const FrameSource> sources);

/// Whether frames can come to lie where they are wanted.
///
/// \errors  not_supported  some are lent in the memory of a GPU, and would have to be copied from there or be batched with
///                         others by reference; the text says what to ask for.
Result<void> check_placement(const Wanted& wanted, std::span<const FrameSource> sources);

}  // namespace lockstep
