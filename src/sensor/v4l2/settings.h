// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "lockstep/frame.h"
#include "lockstep/result.h"
#include "sensor/v4l2/device.h"

namespace lockstep {

/// Sets what `settings` ask for in one go, or nothing.
///
/// Exposure only: V4L2 gives gains and white balance no unit that holds for every device. Exposure 0
/// and factors of 1 ask for nothing.
///
/// \errors  not_supported     the device has no such control.
///          invalid_argument  beyond its range, which the text tells.
/// \source  V4L2_CID_EXPOSURE_ABSOLUTE, units of 100 us, kernel "Camera Control Reference".
Result<void> apply_v4l2_settings(const V4l2Device& device, const Settings& settings);

}  // namespace lockstep
