// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/rig.h"

namespace lockstep {

/// What is told of the light of a rig's sensors.
struct LightStats {
  std::vector<SettingsCaps> caps;     ///< What each can be set to; empty until that is known.
  std::vector<Settings> wanted;       ///< What was last asked of each; empty as above.
  std::uint64_t reports_skipped = 0;  ///< Reports that an application was too slow for.
  std::uint64_t answers_refused =
      0;  ///< Its answers that no rig was asked to take: they make no sense.
};

/// What a rig has counted, as the `stats` property shows it; with what is known of its light, where it has any.
StructurePtr structure_of(const RigStats& stats, const LightStats* light = nullptr);

}  // namespace lockstep
