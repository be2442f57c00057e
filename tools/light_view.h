// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "light_log.h"
#include "lockstep/light.h"
#include "lockstep/metering.h"
#include "lockstep/rig.h"

namespace lockstep::tools {

/// Bars of the small histogram.
inline constexpr std::size_t kNumBars = 32;

/// What `lockstep light` shows of one sensor.
struct SensorView {
  std::string name;
  LightSample sample;
  std::array<float, kNumBars> bars{};  ///< Shares of luma, dark to bright; all 0 if not metered.
  std::uint64_t drops = 0;
  bool lost = false;
};

/// What `lockstep light` shows at one moment.
struct LightView {
  std::uint64_t batch = 0;    ///< The number of the latest.
  std::uint64_t batches = 0;  ///< So far; 0: none came yet, and nothing below holds.
  double batches_a_second = 0;
  bool uniform = false;
  std::uint64_t num_uniform = 0;  ///< So far.
  Nanoseconds skew{0};
  LightMode mode = LightMode::manual;
  double target = 0;  ///< Told where the mode is not manual.
  std::uint32_t latest_revision = 0;
  std::vector<SensorView> sensors;
  std::string message;  ///< The last that happened; may be empty.
};

/// A line of text and how it stands out.
struct ViewLine {
  enum class Style : std::uint8_t { plain, title, attention, faint };
  std::string text;  ///< UTF-8, each character one column wide.
  Style style = Style::plain;
};

/// The histogram in `kNumBars` bars.
std::array<float, kNumBars> bars_of(const Metering& metering);

/// Bars as characters, the highest in full height. Where anything is there is the lowest at least.
std::string bars_text(const std::array<float, kNumBars>& bars);

/// Printable, and no more than so many characters.
std::string cut(std::string_view text, std::size_t columns);

/// The whole view in no more than so many rows, no line longer than so many columns. Where a line
/// has no room for a histogram, that has one of its own, if there are rows for it.
std::vector<ViewLine> view_lines(const LightView& view, std::size_t columns, std::size_t rows);

/// The view in one line, for what is no terminal.
std::string view_text(const LightView& view);

/// "sensor 2 is lost: ...", for the message line.
std::string event_text(const RigEvent& event);

}  // namespace lockstep::tools
