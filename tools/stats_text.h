// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <string>

namespace lockstep::tools {

/// What lockstepsrc counted, from its property `stats`, as lines for people.
std::string stats_text(const GstStructure& stats);

}  // namespace lockstep::tools
