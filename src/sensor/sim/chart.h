// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numbers>
#include <vector>

namespace lockstep {

/// The things that simulated sensors look at, by their number on the chart. Each number is one
/// tone: what moves, moves by changing the light of numbers and not their place.
namespace sim_chart {

/// A whole turn. \units radians
inline constexpr double kTurn = 2 * std::numbers::pi;

struct Range {
  std::size_t first;
  std::size_t count;

  constexpr std::size_t end() const { return first + count; }
};

inline constexpr Range kBackdrop{0, 32};                ///< From dark to light.
inline constexpr Range kSlowRing{kBackdrop.end(), 50};  ///< Lamps, clockwise from the top.
inline constexpr Range kFastRing{kSlowRing.end(), 50};  ///< Lamps, clockwise from the top.
inline constexpr Range kWheel{kFastRing.end(), 32};     ///< Sectors, clockwise.
inline constexpr Range kPatches{kWheel.end(), 18};      ///< Colours.
inline constexpr Range kWedge{kPatches.end(), 12};      ///< Greys, from dark to light.
inline constexpr std::size_t kSegments = 7;             ///< Of one digit.
inline constexpr Range kTimeDigits{kWedge.end(), 5 * kSegments};  ///< Seconds, milliseconds.
inline constexpr Range kSensorDigits{kTimeDigits.end(), 2 * kSegments};
inline constexpr std::size_t kPoint = kSensorDigits.end();  ///< Between the digits, lit.
inline constexpr std::size_t kBlack = kPoint + 1;
inline constexpr std::size_t kPanel = kBlack + 1;  ///< What lamps are set in.
inline constexpr std::size_t kRim = kPanel + 1;
inline constexpr std::size_t kWhite = kRim + 1;
inline constexpr std::size_t kGlass =
    kWhite + 1;  ///< Around the wheel; with it and in it the lamp.
inline constexpr std::size_t kWheelRim = kGlass + 1;
inline constexpr std::size_t kHub = kWheelRim + 1;
inline constexpr std::size_t kNumTones = kHub + 1;
static_assert(kNumTones <= 256);

}  // namespace sim_chart

/// Where on the picture those things are: the number of each pixel, on a sheet somewhat larger than
/// the picture, so that each sensor can look at a part of its own.
class SimChart {
 public:
  /// The sheet for pictures of that size. Sensors of one size share one.
  static std::shared_ptr<const SimChart> shared(std::uint32_t width, std::uint32_t height);

  SimChart(std::uint32_t width, std::uint32_t height);

  /// The sheet goes beyond the picture by this much on each side. \units pixels
  std::size_t margin_x() const { return margin_x_; }
  std::size_t margin_y() const { return margin_y_; }
  /// A row of the sheet, `y` counted from the top margin's first.
  const std::uint8_t* row(std::size_t y) const { return &numbers_[y * stride_]; }

 private:
  std::size_t margin_x_;
  std::size_t margin_y_;
  std::size_t stride_;
  std::vector<std::uint8_t> numbers_;
};

}  // namespace lockstep
