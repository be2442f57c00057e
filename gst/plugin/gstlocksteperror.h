// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include "lockstep/result.h"

namespace lockstep {

/// Posts `error` on the bus as the error of `element`: its sentence for the user, code and errno
/// for debugging. The caller then fails its state change or answers GST_FLOW_ERROR.
///
/// \thread  any; no lock may be held, since handlers of the bus may call back.
void post_error(GstElement* element, const Error& error);

/// As post_error(), as a warning: the element goes on.
void post_warning(GstElement* element, const Error& error);

}  // namespace lockstep
