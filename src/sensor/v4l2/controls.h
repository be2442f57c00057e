// SPDX-License-Identifier: MIT
#pragma once

#include <linux/videodev2.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lockstep/result.h"

namespace lockstep {

/// One ioctl on a node that has controls: answers 0 or errno. A device, or what stands for one in tests.
using V4l2Call = std::function<int(unsigned long request, void* argument)>;

/// One control of a node that holds one number, as it was when asked.
struct V4l2Control {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t type = V4L2_CTRL_TYPE_INTEGER;
  std::uint32_t flags = 0;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t step = 1;
  std::int64_t default_value = 0;
  std::int64_t value = 0;
};

/// Every control that holds one number and can be read.
std::vector<V4l2Control> find_v4l2_controls(const V4l2Call& call);

/// Asks for range and flags of a control that is known; what is known stays where it does not answer.
void requery(const V4l2Call& call, V4l2Control& control);

/// Reads `value` of each in one go. \errors io  the driver does not tell; os_error is its errno.
Result<void> read_v4l2_controls(const V4l2Call& call, const std::vector<V4l2Control*>& controls);

/// A control and what it is to be.
struct V4l2Assignment {
  const V4l2Control* control = nullptr;
  std::int64_t value = 0;
};

/// Sets all of them with one VIDIOC_S_EXT_CTRLS, in this order. `path` is for the error.
///
/// \errors  invalid_argument  the driver refuses a value (EINVAL, ERANGE); the text names the control.
///          busy              a control is grabbed, or another program has the priority (EBUSY).
///          device_lost       the device went away (ENODEV).
///          io                another reason; os_error holds it.
/// \source  error_idx, and why it needs VIDIOC_TRY_EXT_CTRLS to find the control that failed validation: kernel
///          "ioctl VIDIOC_G_EXT_CTRLS, VIDIOC_S_EXT_CTRLS, VIDIOC_TRY_EXT_CTRLS".
Result<void> write_v4l2_controls(const V4l2Call& call,
                                 const std::vector<V4l2Assignment>& assignments,
                                 const std::string& path);

}  // namespace lockstep
