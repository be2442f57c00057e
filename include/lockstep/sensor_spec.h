// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/export.h"
#include "lockstep/result.h"

namespace lockstep {

/// Most sensors in one rig.
inline constexpr std::size_t kMaxSensors = 64;

/// Longest name of a sensor, separators and escapes not counted: room for the longest path and for
/// options. \units bytes
inline constexpr std::size_t kMaxSensorName = 8192;

/// One sensor as the user names it: `backend[:device][?option=value[&option=value...]]`.
///
/// `sim?drift-ppm=20&jitter-us=300`, `v4l2:/dev/video0?io=dmabuf`. `%XX` in the device and in
/// values stands for a byte.
struct SensorSpec {
  std::string backend;                         ///< As in the registry: "sim", "v4l2".
  std::string device;                          ///< May be empty.
  std::map<std::string, std::string> options;  ///< Each name once.

  friend bool operator==(const SensorSpec&, const SensorSpec&) = default;
};

/// Reads one name.
/// \errors invalid_argument  says what stands where and what was wanted; a name beyond kMaxSensorName.
LOCKSTEP_API Result<SensorSpec> parse_sensor_spec(std::string_view text);

/// Reads a list of names separated by `;`. Blanks around a name are ignored.
/// \errors invalid_argument  an empty name, a bad one, none at all or more than kMaxSensors.
LOCKSTEP_API Result<std::vector<SensorSpec>> parse_sensor_list(std::string_view text);

/// Writes it back so that parse_sensor_spec() reads the same, in printable characters (see printable()).
LOCKSTEP_API std::string to_string(const SensorSpec& spec);

}  // namespace lockstep
