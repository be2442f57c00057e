// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/result.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/settings.h"
#include "sensor/options.h"
#include "sensor/v4l2/controls.h"

namespace lockstep {

/// What the user says of one setting's control, because V4L2 does not.
struct V4l2SettingOptions {
  std::string control;               ///< Its name; empty: as V4L2 calls it.
  std::optional<double> unity;       ///< The value that is a factor of 1 (of exposure: 1 ms).
  std::optional<double> decibels;    ///< It counts steps of so many dB; `unity` is 0 dB then.
  std::optional<double> reciprocal;  ///< The factor is this / (this - value).
  int delay = 0;                     ///< SettingRange::delay.
};

struct V4l2SettingsOptions {
  std::string subdevice;  ///< "/dev/v4l-subdev0", whose controls are used; empty: the camera's own.
  std::array<V4l2SettingOptions, kNumSettings> of;

  const V4l2SettingOptions& operator[](Setting setting) const {
    return of[static_cast<std::size_t>(setting)];
  }
};

/// Reads `subdev`, and for each setting `-control`, `-unity`, `-db`, `-reciprocal` and `-delay`.
///
/// \source  Delays where none is given: of the sensors that libcamera has measured most take 2 frames for exposure, gain
///          and vertical blanking (src/libcamera/sensor/camera_sensor_properties.cpp), counted from the frame in which
///          they are written; ours count from the exposure after the write, one less.
V4l2SettingsOptions read_v4l2_settings_options(OptionReader& reader, const SensorSpec& spec);

/// How the numbers of a control become ours.
struct V4l2Scale {
  enum class Kind : std::uint8_t { linear, decibels, reciprocal };
  Kind kind = Kind::linear;
  double offset = 0;  ///< Linear: added to the value. Decibels: the value of 0 dB.
  double factor = 1;  ///< Linear: our unit per step. Decibels: dB per step. Reciprocal: see above.

  double to_ours(double value) const;
  double to_control(double ours) const;
};

/// Size of the frames that the controls' node makes, for what it counts in lines and pixels.
struct V4l2FrameSize {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

/// Which control is which setting, and what each value means. Pure.
struct V4l2Mapping {
  struct Entry {
    V4l2Control control;
    V4l2Scale scale;
    std::int64_t min = 0;  ///< The control's first value that is above 0 in our units.
    std::optional<V4l2Control> automatic;  ///< What is switched to manual along with it.
    std::int64_t manual = 0;               ///< How.
  };
  std::array<std::optional<Entry>, kNumSettings> entries;
  /// Lines by which the longest exposure is shorter than the frame, where its driver ties the two.
  std::optional<std::int64_t> exposure_margin;
  std::uint32_t height = 0;
  SettingsCaps caps;

  const std::optional<Entry>& operator[](Setting setting) const {
    return entries[static_cast<std::size_t>(setting)];
  }
  std::optional<Entry>& operator[](Setting setting) {
    return entries[static_cast<std::size_t>(setting)];
  }
};

/// Finds the controls of each setting.
///
/// | setting        | control                                  | unit                                             |
/// |----------------|------------------------------------------|--------------------------------------------------|
/// | exposure       | EXPOSURE_ABSOLUTE                        | 100 us                                           |
/// |                | EXPOSURE                                 | lines, where HBLANK and PIXEL_RATE tell how long |
/// | analogue-gain  | ANALOGUE_GAIN                            | linear, its minimum is 1 where above 0           |
/// |                | GAIN                                     | none; an option must say                         |
/// | digital-gain   | DIGITAL_GAIN                             | linear, its default is 1 where above 0           |
/// | red-, blue-gain| RED_BALANCE, BLUE_BALANCE                | linear, its default is 1 where above 0           |
/// | frame-duration | VBLANK                                   | lines                                            |
///
/// \errors  invalid_argument  a control that the options name is not there, cannot be written or counts nothing, or two
///                            settings name the same one.
/// \source  Units: kernel "Camera Control Reference" (EXPOSURE_ABSOLUTE), "Image Source Control Reference" (VBLANK, HBLANK;
///          ANALOGUE_GAIN has none), "Image Process Control Reference" (PIXEL_RATE; DIGITAL_GAIN's default is no gain).
///          EXPOSURE in lines, of the size of the frames: libcamera Documentation/sensor_driver_requirements.rst,
///          src/libcamera/sensor/camera_sensor_raw.cpp (minLineLength).
Result<V4l2Mapping> map_v4l2_settings(const std::vector<V4l2Control>& controls,
                                      const V4l2SettingsOptions& options, V4l2FrameSize size);

/// What to write for a change. Values are rounded to what the controls have and limited to it.
struct V4l2Plan {
  /// To be written by itself before the rest, or empty: a longer frame that the exposure needs.
  ///
  /// \source  All values of one VIDIOC_S_EXT_CTRLS are limited to the ranges of before: validate_ctrls() in the kernel's
  ///          v4l2-ctrls-api.c. libcamera's priorityWrite (delayed_controls.h) is for the same.
  std::vector<V4l2Assignment> before;
  std::vector<V4l2Assignment> all;
};

/// The controls are those of `mapping`, which must outlive the plan.
V4l2Plan plan_v4l2_write(const V4l2Mapping& mapping, const SettingsChange& change);

}  // namespace lockstep
