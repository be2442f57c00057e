// SPDX-License-Identifier: MIT
#pragma once

#include "lockstep/sensor.h"

namespace lockstep {

// Every sensor backend of this build: one file, one line here, one in registry.cpp, one in the
// build.
const SensorBackend* sim_backend();
const SensorBackend* v4l2_backend();

}  // namespace lockstep
