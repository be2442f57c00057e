// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_LOCKSTEP_DEMUX (gst_lockstep_demux_get_type())
G_DECLARE_FINAL_TYPE(GstLockstepDemux, gst_lockstep_demux, GST, LOCKSTEP_DEMUX, GstElement)

GST_ELEMENT_REGISTER_DECLARE(lockstepdemux)

G_END_DECLS
