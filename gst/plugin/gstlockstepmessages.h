// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>

#include "gstlockstephandles.h"
#include "lockstep/sensor.h"

namespace lockstep {

/// What has become of a sensor, or of a pad that is one: a structure of that name, such as "lockstep-sensor-back", with
/// fields `sensor` (its slot) and `name`.
StructurePtr sensor_message(const char* what, guint sensor, const std::string& name);

/// Sets a field to text from elsewhere, printable as messages on the bus are.
void set_text(GstStructure* structure, const char* field, const std::string& text);

/// Posts it as a message of the element.
void post_message(GstElement* element, StructurePtr message);

/// Posts "lockstep-frames-dropped", with fields `reason` and `count` besides.
void post_dropped(GstElement* element, guint sensor, const std::string& name, DropReason reason,
                  std::uint64_t count);

}  // namespace lockstep
