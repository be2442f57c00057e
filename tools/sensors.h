// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "lockstep/result.h"
#include "lockstep/sensor.h"

namespace lockstep::tools {

struct SensorsOptions {
  std::vector<std::string> names;  ///< As users write sensors; empty: every one that is found.
  bool json = false;
};

/// A sensor that was asked what it can do, or why it did not answer.
struct SensorListing {
  std::string name;
  Result<SensorInfo> info;
};

/// A kind of sensors or memory.
struct BackendListing {
  std::string name;
  std::string description;
  Result<void> available;  ///< Kinds of sensors are always.
};

/// What there is on this machine.
struct Inventory {
  std::vector<SensorListing> sensors;
  std::vector<BackendListing> sensor_backends;
  std::vector<BackendListing> memory_backends;
};

/// Runs `lockstep sensors`; answers the exit status.
int run_sensors(const SensorsOptions& options);

}  // namespace lockstep::tools
