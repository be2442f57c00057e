// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/format.h"
#include "sensor/sim/capture.h"
#include "sensor/sim/chart.h"
#include "sensor/sim/light.h"
#include "sensor/sim/options.h"

namespace lockstep {

/// A sensor before the chart: light in, code values out.
///
/// A frame is drawn in bands of rows, each exposed somewhat later than the one above it, as a
/// rolling shutter does. Within a band the 250 numbers of the chart are worked out in full (light,
/// gain, clipping, colour), and each pixel is then looked up, with noise of its own added between
/// the linear signal and the response.
class SimScene {
 public:
  SimScene(const SimOptions& options, std::uint32_t sensor, const Format& format,
           const Layout& layout);

  void draw(const SimShot& shot, std::span<std::byte> slot);

  /// What a row of pixels looks at, by number of the chart.
  std::span<const std::uint8_t> numbers(std::size_t row) const;

  /// By number of the chart: linear signals as response.h has them, and the colour that goes with
  /// them in the 10-bit codes of video.
  struct Tones {
    std::array<std::int16_t, 256> luma{};
    std::array<std::int16_t, 256> red{};
    std::array<std::int16_t, 256> green{};
    std::array<std::int16_t, 256> blue{};
    std::array<std::uint16_t, 256> u{};
    std::array<std::uint16_t, 256> v{};
  };

 private:
  Tones tones_of(const SimColours& colours) const;
  void scale_noise(const Settings& settings);
  const std::int16_t* noise_row(std::uint64_t frame, std::size_t row) const;
  void draw_row(const Tones& tones, std::uint64_t frame, std::size_t row, std::byte* slot) const;
  void draw_chroma_row(const Tones& tones, std::size_t row, std::byte* slot) const;

  Format format_;
  Layout layout_;
  std::uint32_t sensor_;
  SimRandom random_;
  SimLight light_;
  std::shared_ptr<const SimChart> chart_;
  std::size_t view_x_;  // The upper left of what the sensor sees of the sheet.
  std::size_t view_y_;
  double red_weight_;  // Of luma.
  double blue_weight_;
  double noise_;
  double noise_scale_ = -1;    // What noise_table_ was made with.
  std::vector<float> normal_;  // Standard normal.
  std::vector<std::int16_t> noise_table_;
};

}  // namespace lockstep
