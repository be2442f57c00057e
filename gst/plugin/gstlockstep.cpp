// SPDX-License-Identifier: MIT
#include <gst/gst.h>

#include "gstlockstepdemux.h"
#include "gstlockstepmux.h"
#include "gstlockstepsrc.h"
#include "gstlocksteptiler.h"

static gboolean plugin_init(GstPlugin* plugin) {
  return GST_ELEMENT_REGISTER(lockstepsrc, plugin) && GST_ELEMENT_REGISTER(locksteptiler, plugin) &&
         GST_ELEMENT_REGISTER(lockstepdemux, plugin) && GST_ELEMENT_REGISTER(lockstepmux, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, lockstep,
                  "N cameras in, one batch out, in lockstep", plugin_init, VERSION, "MIT/X11",
                  PACKAGE, "Unknown package origin")
