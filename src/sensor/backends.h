// SPDX-License-Identifier: MIT
#pragma once

#include "lockstep/sensor.h"

namespace lockstep {

// Every sensor backend of this build: one file, one line here, one in registry.cpp, one in the
// build.
const SensorBackend* sim_backend();
const SensorBackend* v4l2_backend();
const SensorBackend* eglstream_backend();  // null where this build has none

/// Why this build has none.
Error no_eglstreams();

}  // namespace lockstep
