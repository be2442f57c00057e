// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "gstlockstephandles.h"
#include "lockstep/light.h"

namespace lockstep {

/// What an algorithm is told of one batch, as a structure "lockstep-light" for the signal `light`.
StructurePtr structure_of(const LightReport& report, GstClockTime running_time);

/// Settings by the names of the properties, as a structure of that name.
StructurePtr structure_of(const Settings& settings, const char* name);

/// What a sensor can be set to, as a structure "settings": for each setting that it has a structure with `min`, `max`,
/// `step` and `delay`, and besides `reports`, and `missing` where it is told why one is missing.
StructurePtr structure_of(const SettingsCaps& caps);

/// What an application answers to it: fields named as the properties, for every sensor that can, and `sensors`, an
/// array of one such structure for each sensor. All of it has been checked against what the sensors have.
///
/// \errors  invalid_argument  a field that there is not, one of another type than a number, a value that a sensor has
///                            not, or not one structure for each sensor; the text says what is wanted.
///          not_supported     no sensor has such a control.
Result<std::vector<SettingsChange>> read_answer(const GstStructure* answer,
                                                std::span<const SettingsCaps> sensors);

}  // namespace lockstep
