// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include "lockstep/frame.h"
#include "sensor/sim/chart.h"
#include "sensor/sim/options.h"

namespace lockstep {

/// A value for each colour that a sensor tells apart.
struct SimColour {
  float red = 0;
  float green = 0;
  float blue = 0;
};

/// By number of the chart.
using SimColours = std::array<SimColour, sim_chart::kNumTones>;

/// An exposure at which white paper under the lamp fills the pixel.
inline constexpr Nanoseconds kSimFullExposure = std::chrono::microseconds(12'500);

/// When, for how long and how sensitively light is gathered. \units ns on the clock of the stream.
struct SimExposure {
  Nanoseconds begin{0};
  Nanoseconds frame_begin{0};  ///< Of the first row; the displays on the chart are in step with it.
  Nanoseconds stream_begin{0};  ///< When the stream began, by which the lamplight changes.
  Settings settings;
  std::uint32_t sensor = 0;  ///< Whose number the display shows.
};

/// The light of the scene.
class SimLight {
 public:
  explicit SimLight(const SimLighting& lighting);

  /// What the sensor makes of each number of the chart: radiance x exposure x response x gains, 1
  /// at full scale, not clipped yet.
  ///
  /// Displays, rings and the lamp in view shine by themselves: they stay as they are when the
  /// lamplight changes or flickers.
  SimColours gather(const SimExposure& exposure) const;

  /// The brightness of what lights the chart, averaged over an exposure; 1 as usual.
  double lamplight(Nanoseconds begin, Nanoseconds exposure, Nanoseconds stream_begin = {}) const;

 private:
  double flicker(Nanoseconds begin, Nanoseconds exposure) const;

  SimLighting lighting_;
  SimColours reflectance_;
};

/// For how long lamp `index` of `count`, which are lit one after the other once in each `round`, is
/// lit within an exposure.
Nanoseconds time_lit(Nanoseconds begin, Nanoseconds exposure, Nanoseconds round, std::size_t index,
                     std::size_t count);

}  // namespace lockstep
