// SPDX-License-Identifier: MIT
#pragma once

#include <limits>
#include <optional>

#include "lockstep/settings.h"

namespace lockstep {

/// What exposure and gains may be used.
///
/// \units   ns and factors, as SettingsChange.
struct ExposureLimits {
  std::optional<SettingRange>
      exposure;  ///< Nothing: it cannot be set and stays; so for the others.
  std::optional<SettingRange> analogue_gain;
  std::optional<SettingRange> digital_gain;
  double max_exposure = std::numeric_limits<double>::infinity();
  double max_gain = std::numeric_limits<double>::infinity();  ///< Of both gains together.
  double half_period = 0;  ///< Exposures are multiples of this where they are no shorter; 0: any.

  friend bool operator==(const ExposureLimits&, const ExposureLimits&) = default;
};

/// Exposure and gains that together take so much light.
struct ExposureSplit {
  double exposure = 0;  ///< \units ns
  double analogue_gain = 1;
  double digital_gain = 1;

  double total() const { return exposure * analogue_gain * digital_gain; }
  friend bool operator==(const ExposureSplit&, const ExposureSplit&) = default;
};

/// Splits `total` (exposure times gains) as near as steps allow: as much exposure as there may be, then analogue gain,
/// then digital gain, which makes up for what the steps of the others leave.
///
/// With a mains half period the multiple of `present` is kept while it serves, so that what wavers between two of them
/// does not waver; what has no range keeps its value of `present`.
ExposureSplit split_exposure(double total, const ExposureLimits& limits,
                             const ExposureSplit& present);

}  // namespace lockstep
