// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "capture_options.h"

namespace lockstep::tools {

struct LightCommand {
  CaptureOptions capture;
  LightOptions light;      ///< Mode not given: manual where a setting is given, shared otherwise.
  bool overwrite = false;  ///< The log, if it is there already.
  std::optional<std::uint64_t> batches;  ///< Ends after so many.
  std::optional<double> duration_s;      ///< Ends after that much capture time.
};

/// Runs `lockstep light`; answers the exit status.
int run_light(LightCommand command);

}  // namespace lockstep::tools
