// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "lockstep/format.h"
#include "lockstep/frame.h"
#include "lockstep/result.h"
#include "lockstep/sensor.h"
#include "lockstep/sensor_spec.h"
#include "lockstep/settings.h"
#include "sensor/options.h"

namespace lockstep {

/// A span of the stream's time in which a simulated sensor fails. \units since the stream began.
struct SimOutage {
  Nanoseconds begin{0};
  Nanoseconds end{0};

  bool covers(Nanoseconds time) const { return time >= begin && time < end; }
};

/// What goes wrong with a simulated sensor's triggers, and when.
struct SimTiming {
  double drift_ppm = 0;        ///< How much its clock is slow; negative: fast.
  Nanoseconds jitter{0};       ///< Most that an exposure starts late, never beyond half a frame.
  Nanoseconds stamp_noise{0};  ///< Most that the reported capture time is off, either way.
  double drop = 0;             ///< Probability that a frame is lost.
  double corrupt = 0;          ///< Probability that a frame is marked as damaged.
  double duplicate = 0;        ///< Probability that a frame reports the time of the one before.
  SimOutage stall;             ///< Frames are lost.
  SimOutage unplugged;         ///< The device is gone; nothing comes back if `end` is the maximum.
};

/// The light that falls on the chart or comes from it, and how sensitive to it the sensor is.
struct SimLighting {
  double flicker_hz = 0;     ///< The mains that the lamplight hangs on; it flickers at twice that.
  double flicker_depth = 0;  ///< Of the lamplight's brightness, 0..1.
  double stops = 0;          ///< Brightness of the lamplight at first. \units stops from usual
  std::optional<Nanoseconds>
      change_at;               ///< When it begins to change. \units since the stream began
  Nanoseconds change_over{0};  ///< How long that takes, evenly in stops; 0: at once.
  double change_stops = 0;     ///< By how much it changes. \units stops
  double lamp = 0;           ///< Of a lamp in view; 0: none. \units radiance of paper in lamplight
  double response = 1;       ///< Of the sensor.
  double red_response = 1;   ///< Of the sensor to red, compared to others.
  double blue_response = 1;  ///< Of the sensor to blue, compared to others.
};

/// How much of the picture is drawn.
enum class SimRender : std::uint8_t {
  full,   ///< The scene and the painted code.
  scene,  ///< The scene alone: all that is bright is so by light, exposure and gain.
  code,   ///< The painted code on flat grey.
  stamp,  ///< A SimStamp at the start of the slot, nothing else: the cost knows no size.
};

inline constexpr Nanoseconds kSimMinExposure = std::chrono::microseconds(1);
inline constexpr Nanoseconds kSimMaxExposure = std::chrono::seconds(1);
inline constexpr Nanoseconds kSimMinFrameDuration{1'000'000'000 / 240};
inline constexpr Nanoseconds kSimMaxFrameDuration = std::chrono::seconds(1);
inline constexpr double kSimMaxGain = 16;
inline constexpr double kSimMinBalance = 0.25;
inline constexpr double kSimMaxBalance = 4;

/// Every setting there is in its widest range, reported, all with the same delay. \units exposures
SettingsCaps sim_caps(int delay);

/// Everything that `sim?...` can say.
struct SimOptions {
  std::uint64_t seed = 1;  ///< Sensors of one rig differ even under the same seed.
  SimTiming timing;
  Nanoseconds phase{0};             ///< Of the triggers, after the multiples of the frame period.
  Settings settings;                ///< At first.
  Nanoseconds readout{0};           ///< From the first row's exposure to the last row's.
  SettingsCaps caps = sim_caps(2);  ///< What it can be set to, and how soon that holds.
  SimOutage refusal;                ///< Writes are refused.
  SimLighting lighting;
  double noise = 0;  ///< Standard deviation at gain 1. \units 1/255 of full scale.
  SimRender render = SimRender::full;
  Delivery delivery = Delivery::fill;
  bool realtime = true;
  std::optional<PixelFormat> format;       ///< Offers this one only.
  std::optional<OptionReader::Size> size;  ///< Offers this one only.
};

/// Reads the options of a spec `sim?...`.
///
/// \errors  invalid_argument  an unknown option or a value out of range; the text says what there
/// is.
Result<SimOptions> read_sim_options(const SensorSpec& spec);

}  // namespace lockstep
