// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>

#include "gstlockstepcaps.h"
#include "gstlockstepsrcsettings.h"
#include "lockstep/rig.h"

namespace lockstep {

/// What memory the frames of an open rig will be in.
FrameMemory frame_memory(const Rig& rig);

/// The GPU that the frames will be on; nothing where they are elsewhere. `rig` is null before it is open. Sensors that lend
/// frames do not tell on which of several.
std::optional<int> gpu_of(const SrcSettings& settings, const Rig* rig);

/// Frames in GPU memory are passed on by a part of this plugin that not every build has.
/// \errors  not_supported  this one has not.
Result<void> check_memory(const SrcSettings& settings, const Rig* rig);

/// Why the source's pad cannot agree with downstream on caps; nothing where they have some in common.
/// \errors  no_common_format  says what downstream takes, and what the sensors offer.
std::optional<Error> caps_mismatch(GstPad* pad, const Rig& rig);

/// What a user expects who asks for nothing, full HD at 30 fps, or what of `caps` comes nearest. Takes them over.
GstCaps* nearest_to_usual(GstCaps* caps);

/// Fixed caps of a batch, completed by what only sensors that are configured can say: the colorimetry of their frames.
/// \errors  no_common_format  `allowed`, of which `fixed` is a part, excludes it.
Result<CapsPtr> caps_of_sensors(const Rig& rig, const GstCaps* fixed, const GstCaps* allowed);

}  // namespace lockstep
