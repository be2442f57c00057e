// SPDX-License-Identifier: MIT
// Handles of what only tests own.
#pragma once

#include <gst/gst.h>

#include <memory>

#include "gstlockstephandles.h"

namespace lockstep {

/// Lets go of any object, and of messages.
struct Unref {
  void operator()(gpointer object) const { gst_object_unref(object); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
};
using MessagePtr = std::unique_ptr<GstMessage, Unref>;

}  // namespace lockstep
