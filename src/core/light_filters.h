// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "lockstep/settings.h"

namespace lockstep {

/// How bright a scene is, from noisy readings of it: smooth while it is steady, at once when it is not.
///
/// \units   stops: doublings of light.
class BrightnessFilter {
 public:
  /// While readings stay this near, each counts as one of kFrames.
  static constexpr double kNear = 0.05;
  static constexpr double kFrames = 8;
  /// A reading this far off is believed by itself, and so is what the next frames correct of it; one in between
  /// otherwise when the one before or after it agrees.
  static constexpr double kFar = 1;
  static constexpr int kUnsettled = 10;  ///< \units frames

  void add(double reading);
  void restart() { *this = {}; }
  /// Nothing before the first reading.
  const std::optional<double>& value() const { return value_; }

 private:
  void believe(double reading);

  std::optional<double> value_;
  std::array<double, 2> last_{};  // The readings before, the latest first.
  int unsettled_ = 0;             // Readings to come that are believed at once.
};

/// What gains would make a scene grey, from readings of it.
class ColourFilter {
 public:
  /// How many readings a new colour takes to be believed by 63 %.
  static constexpr double kFrames = 9;

  /// Linear means of colours as they would be with gains of 1. Those that tell nothing are passed over.
  void add(double red, double green, double blue);
  void restart() { *this = {}; }
  /// \units   stops: the logarithms of the gains.
  const std::optional<double>& red() const { return red_; }
  const std::optional<double>& blue() const { return blue_; }

 private:
  std::optional<double> red_;
  std::optional<double> blue_;
};

/// White balance gains are kept within this, whatever the sensor can do: what is redder than a candle or bluer than the
/// shade is taken for a coloured thing, not for the colour of the light.
inline constexpr double kLeastBalance = 0.5;
inline constexpr double kMostBalance = 2.5;
/// Most that they change in one frame, and what is not worth a change.
inline constexpr double kBalanceStep = 1.03;
inline constexpr double kBalanceDeadBand = 0.01;

/// The next gain on the way from `present` to `wanted`; `present` where it is near enough.
double next_balance(double present, double wanted, const SettingRange& range);

}  // namespace lockstep
