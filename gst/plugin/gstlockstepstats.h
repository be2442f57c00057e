// SPDX-License-Identifier: MIT
#pragma once

#include "gstlockstephandles.h"
#include "lockstep/rig.h"

namespace lockstep {

/// What a rig has counted, as the `stats` property shows it.
StructurePtr structure_of(const RigStats& stats);

}  // namespace lockstep
