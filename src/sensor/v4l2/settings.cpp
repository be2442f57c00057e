// SPDX-License-Identifier: MIT
#include "sensor/v4l2/settings.h"

#include <array>
#include <chrono>
#include <string>

namespace lockstep {
namespace {

using ExposureUnits = std::chrono::duration<std::int64_t, std::ratio<1, 10000>>;

std::string microseconds(std::int64_t units) { return std::to_string(units * 100) + " us"; }

bool has(const V4l2Device& device, std::uint32_t id, v4l2_query_ext_ctrl& control) {
  control = {};
  control.id = id;
  return device.call(VIDIOC_QUERY_EXT_CTRL, &control) == 0 &&
         !(control.flags & V4L2_CTRL_FLAG_DISABLED);
}

}  // namespace

Result<void> apply_v4l2_settings(const V4l2Device& device, const Settings& settings) {
  const Settings unchanged;
  if (settings.analogue_gain != unchanged.analogue_gain ||
      settings.digital_gain != unchanged.digital_gain || settings.red_gain != unchanged.red_gain ||
      settings.blue_gain != unchanged.blue_gain)
    return Error{Errc::not_supported, 0,
                 "set gains: V4L2 states no unit for them; use exposure, or the device's own "
                 "controls: " +
                     device.path()};
  if (settings.frame_duration != unchanged.frame_duration)
    return Error{Errc::not_supported, 0,
                 "set the frame duration while streaming; use the frame rate: " + device.path()};
  if (settings.exposure == unchanged.exposure) return {};

  v4l2_query_ext_ctrl exposure;
  if (!has(device, V4L2_CID_EXPOSURE_ABSOLUTE, exposure))
    return Error{Errc::not_supported, 0,
                 "set the exposure: there is no such control on " + device.path()};
  const std::int64_t units = std::chrono::round<ExposureUnits>(settings.exposure).count();
  if (units < exposure.minimum || units > exposure.maximum)
    return Error{Errc::invalid_argument, 0,
                 "set an exposure of " + microseconds(units) + ", the device has " +
                     microseconds(exposure.minimum) + " to " + microseconds(exposure.maximum) +
                     ": " + device.path()};

  std::array<v4l2_ext_control, 2> values{};
  values[0].id = V4L2_CID_EXPOSURE_ABSOLUTE;
  values[0].value = static_cast<__s32>(units);
  values[1].id = V4L2_CID_EXPOSURE_AUTO;
  values[1].value = V4L2_EXPOSURE_MANUAL;
  v4l2_query_ext_ctrl automatic;
  v4l2_ext_controls all{};
  all.which = V4L2_CTRL_WHICH_CUR_VAL;
  all.count = has(device, V4L2_CID_EXPOSURE_AUTO, automatic) ? 2 : 1;
  all.controls = values.data();
  if (int failed = device.call(VIDIOC_S_EXT_CTRLS, &all))
    return device.error(failed, "set an exposure of " + microseconds(units) + " on");
  return {};
}

}  // namespace lockstep
