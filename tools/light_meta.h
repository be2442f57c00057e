// SPDX-License-Identifier: MIT
#pragma once

#include <gst/lockstep/gstlockstepbatchmeta.h>

#include "light_log.h"

namespace lockstep::tools {

/// What a batch in a pipeline tells of its light: the same as light_row(Batch) does.
LightRow light_row(const GstLockstepBatchMeta& meta);

}  // namespace lockstep::tools
