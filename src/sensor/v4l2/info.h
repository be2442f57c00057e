// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "lockstep/sensor.h"
#include "sensor/v4l2/controls.h"
#include "sensor/v4l2/device.h"
#include "sensor/v4l2/format.h"

namespace lockstep {

/// Those of our formats that the device offers, in the order of v4l2_fourccs().
std::vector<V4l2Fourcc> offered_fourccs(const V4l2Device& device);

/// What the device can be set to in those formats. Of two that lie alike only the first counts.
std::vector<FormatOffer> v4l2_offers(const V4l2Device& device,
                                     const std::vector<V4l2Fourcc>& fourccs);

/// The controls of a node that hold one number, as they are now.
std::vector<ControlInfo> v4l2_controls(const V4l2Call& call);

/// Which I/O its driver has. Frees the device's buffers: not for the fd that streams.
std::vector<IoInfo> v4l2_io(const V4l2Device& device);

}  // namespace lockstep
