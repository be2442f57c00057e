// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "recording_check.h"
#include "sensors.h"

namespace lockstep::tools {

/// The same as the tables say, for programs. \units as the names say: `_ns`, `_us`; rates as
/// fractions.
std::string to_json(const Inventory& inventory);
std::string to_json(const Report& report);

}  // namespace lockstep::tools
