// SPDX-License-Identifier: MIT
#pragma once

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_LOCKSTEP_TILER (gst_lockstep_tiler_get_type())
G_DECLARE_FINAL_TYPE(GstLockstepTiler, gst_lockstep_tiler, GST, LOCKSTEP_TILER, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(locksteptiler)

G_END_DECLS
