// SPDX-License-Identifier: MIT
#pragma once

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define GST_TYPE_LOCKSTEP_SRC (gst_lockstep_src_get_type())
G_DECLARE_FINAL_TYPE(GstLockstepSrc, gst_lockstep_src, GST, LOCKSTEP_SRC, GstPushSrc)

GST_ELEMENT_REGISTER_DECLARE(lockstepsrc)

G_END_DECLS
