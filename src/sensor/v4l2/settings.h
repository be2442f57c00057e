// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "lockstep/result.h"
#include "lockstep/settings.h"
#include "sensor/v4l2/controls.h"
#include "sensor/v4l2/mapping.h"

namespace lockstep {

/// The node whose controls are the settings: the camera itself, or a sub-device of it.
struct V4l2Node {
  V4l2Call call;
  std::string path;
};

/// The settings of one camera: what it can be set to, and what it is set to.
class V4l2Settings {
 public:
  explicit V4l2Settings(V4l2SettingsOptions options) : options_(std::move(options)) {}

  /// Looks for the controls; again after each change of the format, which changes their ranges.
  /// \errors  as map_v4l2_settings().
  Result<void> find(const V4l2Node& node, V4l2FrameSize size);

  const SettingsCaps& caps() const { return mapping_.caps; }

  /// As Sensor::write(). Where a shorter frame makes the driver shorten the exposure too, the answer has that as well.
  Result<SettingsChange> write(const V4l2Node& node, const SettingsChange& change);

  /// Writes again what was written last, as near to it as the device now can.
  /// \errors  as write_v4l2_controls().
  Result<void> restore(const V4l2Node& node);

 private:
  Result<void> set(const V4l2Node& node, const SettingsChange& change);
  SettingsChange read_back(const V4l2Node& node, const SettingsChange& change, bool written);

  V4l2SettingsOptions options_;
  V4l2Mapping mapping_;
  SettingsChange held_;  // what was written, as it is set now
};

}  // namespace lockstep
