// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

namespace lockstep {

/// What a user expects who asks for nothing, full HD at 30 fps, or what of `caps` comes nearest. Takes them over.
GstCaps* nearest_to_usual(GstCaps* caps);

}  // namespace lockstep
