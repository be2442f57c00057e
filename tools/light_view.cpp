// SPDX-License-Identifier: MIT
#include "light_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "lockstep/printable.h"

namespace lockstep::tools {
namespace {

using Style = ViewLine::Style;

// Without the histogram and the name, which follow where there is room.
constexpr std::size_t kTableColumns = 80;
constexpr const char* kRow =
    "{:>2} {:>8} {:>5} {:>7} {:>5} {:>5} {:>5} {:<8} {:>5} {:>5} {:>6} {:>8}";
constexpr const char* kNothing = "-";
constexpr const char* kIndent = "   ";

double milliseconds(Nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }
// Three digits behind the point as long as they fit.
std::string exposure_text(Nanoseconds exposure) {
  if (exposure.count() == 0) return kNothing;
  const double value = milliseconds(exposure);
  return fmt::format("{:.{}f}ms", value, value < 100 ? 3 : value < 1000 ? 2 : 0);
}

std::string percent_text(double share) {
  const double percent = share * 100;
  return fmt::format("{:.{}f}%", percent, percent < 9.95 ? 1 : 0);
}

std::string offset_text(Nanoseconds offset) {
  const double value = microseconds(offset);
  if (std::abs(value) < 10'000) return fmt::format("{:+.0f}us", value);
  return fmt::format("{:+.0f}ms", value / 1e3);
}

std::string heading() {
  return fmt::format(kRow, "#", "exposure", "gain", "digital", "red", "blue", "rev", "state",
                     "luma", "dark", "bright", "skew");
}

std::string sensor_row(const SensorView& sensor, std::size_t index) {
  const LightSample& sample = sensor.sample;
  if (sample.state == FrameState::missing)
    return fmt::format("{:>2} {}", index, sensor.lost ? "lost" : "missing");
  const auto reading = [&](double LightReading::*part, auto text) {
    return sample.reading ? text((*sample.reading).*part) : std::string(kNothing);
  };
  const Settings& settings = sample.settings;
  const auto gain = [](double value) { return fmt::format("{:.2f}", value); };
  const auto luma = [](double value) { return fmt::format("{:.3f}", value); };
  const bool fresh = sample.state == FrameState::fresh;
  return fmt::format(
      kRow, index, exposure_text(settings.exposure), gain(settings.analogue_gain),
      gain(settings.digital_gain), gain(settings.red_gain), gain(settings.blue_gain),
      sample.revision, fresh ? to_string(sample.settings_state) : to_string(sample.state),
      reading(&LightReading::luma, luma), reading(&LightReading::clipped_dark, percent_text),
      reading(&LightReading::clipped_bright, percent_text), offset_text(sample.offset));
}

// Whether there is something about it that a user would want to see.
Style style_of(const SensorView& sensor) {
  const bool good = sensor.sample.state == FrameState::fresh &&
                    sensor.sample.settings_state != SettingsState::refused && !sensor.lost;
  return good ? Style::plain : Style::attention;
}

std::uint64_t drops_of(const LightView& view) {
  std::uint64_t drops = 0;
  for (const SensorView& sensor : view.sensors) drops += sensor.drops;
  return drops;
}

std::string light_text(const LightView& view) {
  std::string text = fmt::format("mode {}", to_string(view.mode));
  if (view.mode != LightMode::manual) text += fmt::format("   target {:.3f}", view.target);
  return text + fmt::format("   revision {}   uniform {} of {}   drops {}", view.latest_revision,
                            view.num_uniform, view.batches, drops_of(view));
}

std::vector<ViewLine> head_lines(const LightView& view) {
  if (view.batches == 0)
    return {{"lockstep light   no batch yet", Style::title}, {light_text(view)}};
  return {{fmt::format("lockstep light   batch {}   {:.1f}/s   skew {:.0f} us   {}", view.batch,
                       view.batches_a_second, microseconds(view.skew),
                       view.uniform ? "uniform" : "not uniform"),
           view.uniform ? Style::title : Style::attention},
          {light_text(view)},
          {""}};
}

}  // namespace

std::array<float, kNumBars> bars_of(const Metering& metering) {
  static_assert(Metering::kNumBins % kNumBars == 0);
  constexpr std::size_t kBinsPerBar = Metering::kNumBins / kNumBars;
  std::array<float, kNumBars> bars{};
  for (std::size_t bin = 0; bin < Metering::kNumBins; ++bin)
    bars[bin / kBinsPerBar] += metering.histogram[bin];
  return bars;
}

std::string bars_text(const std::array<float, kNumBars>& bars) {
  static constexpr const char* kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr float kHighest = std::size(kBars) - 1;
  const float most = *std::max_element(bars.begin(), bars.end());
  std::string text;
  for (const float bar : bars)
    text += kBars[bar > 0 ? static_cast<std::size_t>(std::ceil(bar / most * kHighest)) : 0];
  return text;
}

std::string cut(std::string_view text, std::size_t columns) {
  std::string out = printable(text, kMessageBytes);
  std::size_t used = 0;
  const auto begins_beyond = [&](char byte) {
    const bool continues = (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
    return !continues && ++used > columns;
  };
  out.erase(std::find_if(out.begin(), out.end(), begins_beyond), out.end());
  return out;
}

std::vector<ViewLine> view_lines(const LightView& view, std::size_t columns, std::size_t rows) {
  std::vector<ViewLine> lines = head_lines(view);
  const bool beside = columns >= kTableColumns + 2 + kNumBars;
  if (view.batches > 0) {
    lines.push_back({heading() + (beside ? "  histogram" : ""), Style::faint});
    const std::size_t below = view.message.empty() ? 0 : 2;
    const bool two_lines = !beside && lines.size() + 2 * view.sensors.size() + below <= rows;
    for (std::size_t i = 0; i < view.sensors.size(); ++i) {
      const SensorView& sensor = view.sensors[i];
      const std::string more = bars_text(sensor.bars) + "  " + sensor.name;
      // Padded, since the row of a missing frame is short.
      const std::string row = fmt::format("{:<{}}", sensor_row(sensor, i), kTableColumns);
      lines.push_back({beside ? row + "  " + more : row, style_of(sensor)});
      if (two_lines) lines.push_back({kIndent + more});
    }
  }
  // What happened is shown rather than the last sensors.
  const std::size_t kept = view.message.empty() || rows < 2 ? rows : rows - 2;
  if (lines.size() > kept) lines.resize(kept);
  if (!view.message.empty() && rows >= 2) {
    lines.push_back({""});
    lines.push_back({view.message, Style::attention});
  }
  for (ViewLine& line : lines) line.text = cut(line.text, columns);
  return lines;
}

std::string view_text(const LightView& view) {
  if (view.batches == 0) return "no batch yet";
  std::string text = fmt::format(
      "batch {}  {:.1f}/s  {}  mode {}  revision {}  skew {:.0f}us  drops {}", view.batch,
      view.batches_a_second, view.uniform ? "uniform" : "not uniform", to_string(view.mode),
      view.latest_revision, microseconds(view.skew), drops_of(view));
  for (std::size_t i = 0; i < view.sensors.size(); ++i) {
    const LightSample& sample = view.sensors[i].sample;
    if (sample.state == FrameState::missing) {
      text += fmt::format(" | {} missing", i);
      continue;
    }
    text += fmt::format(" | {} {} x{:.2f}", i, exposure_text(sample.settings.exposure),
                        sample.settings.analogue_gain * sample.settings.digital_gain);
    if (sample.reading) text += fmt::format(" luma {:.3f}", sample.reading->luma);
  }
  return text;
}

std::string event_text(const RigEvent& event) {
  switch (event.kind) {
    case RigEvent::Kind::sensor_lost:
      return fmt::format("sensor {} is lost: {}", event.sensor, event.error.what);
    case RigEvent::Kind::sensor_back:
      return fmt::format("sensor {} is back", event.sensor);
    case RigEvent::Kind::frames_dropped:
      return fmt::format("sensor {}: {} {} dropped, {}", event.sensor, event.count,
                         event.count == 1 ? "frame" : "frames", to_string(event.reason));
    case RigEvent::Kind::settings_refused:
      return fmt::format("sensor {}: settings refused: {}", event.sensor, event.error.what);
    case RigEvent::Kind::light_refused:
      return "light refused: " + event.error.what;
    case RigEvent::Kind::no_settings:
      return fmt::format("sensor {}: not all light can be set: {}", event.sensor, event.error.what);
  }
  return {};
}

}  // namespace lockstep::tools
