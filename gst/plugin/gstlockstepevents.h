// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <string>

#include "lockstep/rig.h"

namespace lockstep {

/// Tells on the bus what happened to a sensor of that name: as a message of the element and, if it is trouble, as a
/// warning.
void post_event(GstElement* element, const std::string& name, const RigEvent& event);

}  // namespace lockstep
