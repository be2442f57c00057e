// SPDX-License-Identifier: MIT
#pragma once

#include "lockstep/settings.h"

namespace lockstep {

inline SettingsChange exposure_of(Nanoseconds exposure) {
  return SettingsChange().set(Setting::exposure, exposure);
}

inline SettingsChange gain_of(double gain) {
  return SettingsChange().set(Setting::analogue_gain, gain);
}

inline SettingsChange both_of(Nanoseconds exposure, double gain) {
  return exposure_of(exposure).set(Setting::analogue_gain, gain);
}

}  // namespace lockstep
