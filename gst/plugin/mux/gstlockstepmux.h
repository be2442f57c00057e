// SPDX-License-Identifier: MIT
#pragma once

#include <gst/base/gstaggregator.h>

G_BEGIN_DECLS

#define GST_TYPE_LOCKSTEP_MUX (gst_lockstep_mux_get_type())
G_DECLARE_FINAL_TYPE(GstLockstepMux, gst_lockstep_mux, GST, LOCKSTEP_MUX, GstAggregator)

GST_ELEMENT_REGISTER_DECLARE(lockstepmux)

G_END_DECLS
