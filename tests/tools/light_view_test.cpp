// SPDX-License-Identifier: MIT
#include "light_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep::tools {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Style = ViewLine::Style;

SensorView sensor() {
  SensorView view;
  view.name = "sim";
  view.sample.state = FrameState::fresh;
  view.sample.revision = 7;
  view.sample.settings_state = SettingsState::settled;
  view.sample.settings.exposure = microseconds(10'000);
  view.sample.settings.analogue_gain = 2;
  view.sample.reading = LightReading{.luma = 0.158, .clipped_bright = 0.003};
  view.sample.offset = microseconds(12);
  view.bars[0] = 0.5f;
  view.bars[kNumBars - 1] = 1;
  return view;
}

LightView view_of(std::size_t num_sensors) {
  LightView view;
  view.batch = 41;
  view.batches = 42;
  view.batches_a_second = 30;
  view.uniform = true;
  view.num_uniform = 40;
  view.mode = LightMode::shared;
  view.target = 0.16;
  view.latest_revision = 7;
  view.sensors.assign(num_sensors, sensor());
  return view;
}

std::size_t columns_of(const std::string& text) {
  std::size_t columns = 0;
  for (const char byte : text) columns += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  return columns;
}

std::string text_of(const std::vector<ViewLine>& lines) {
  std::string text;
  for (const ViewLine& line : lines) text += line.text + '\n';
  return text;
}

TEST(LightView, BarsAreTheSharesOfNeighbouringBins) {
  Metering metering;
  metering.histogram[0] = 0.25f;
  metering.histogram[7] = 0.25f;
  metering.histogram[8] = 0.5f;
  const auto bars = bars_of(metering);
  EXPECT_FLOAT_EQ(bars[0], 0.5f);
  EXPECT_FLOAT_EQ(bars[1], 0.5f);
  EXPECT_FLOAT_EQ(bars[2], 0);
}

TEST(LightView, TheHighestBarIsFullAndTheLeastIsSeen) {
  std::array<float, kNumBars> bars{};
  bars[0] = 0.5f;
  bars[1] = 1;
  bars[2] = 1e-6f;
  EXPECT_THAT(bars_text(bars), StartsWith("▄█▁ "));
  EXPECT_EQ(columns_of(bars_text(bars)), kNumBars);
  EXPECT_EQ(bars_text({}), std::string(kNumBars, ' '));
}

TEST(LightView, TextIsCutBetweenCharacters) {
  EXPECT_EQ(cut("▄█▁x", 2), "▄█");
  EXPECT_EQ(cut("▄█", 9), "▄█");
  EXPECT_EQ(cut("abc", 0), "");
}

TEST(LightView, WhatWouldMoveTheCursorIsReplaced) {
  EXPECT_EQ(cut("a\033[2J\n\x7F", 80), "a%1B[2J%0A%7F");
}

TEST(LightView, EachSensorIsOneLineWhereTheHistogramHasRoomBesideIt) {
  const auto lines = view_lines(view_of(4), 120, 40);
  EXPECT_EQ(lines.size(), 3u + 1 + 4);
  EXPECT_THAT(lines.back().text, HasSubstr("10.000ms"));
  EXPECT_THAT(lines.back().text, HasSubstr("settled"));
  EXPECT_THAT(lines.back().text, HasSubstr("0.158"));
  EXPECT_THAT(lines.back().text, HasSubstr("0.3%"));
  EXPECT_THAT(lines.back().text, HasSubstr("+12us"));
  EXPECT_THAT(lines.back().text, HasSubstr("▄"));
}

TEST(LightView, TheHistogramHasALineOfItsOwnWhereItHasNot) {
  const auto lines = view_lines(view_of(4), 80, 24);
  EXPECT_EQ(lines.size(), 3u + 1 + 2 * 4);
  EXPECT_THAT(lines[4].text, HasSubstr("+12us"));
  EXPECT_THAT(lines[5].text, HasSubstr("▄"));
}

TEST(LightView, TheHistogramIsLeftOutWhereThereAreNoRowsForIt) {
  const auto lines = view_lines(view_of(16), 80, 24);
  EXPECT_EQ(lines.size(), 3u + 1 + 16);
  EXPECT_THAT(text_of(lines), Not(HasSubstr("▄")));
}

TEST(LightView, ATableIs80ColumnsWideBeforeItsHistogram) {
  const auto lines = view_lines(view_of(1), 80, 24);
  EXPECT_EQ(columns_of(lines[3].text), 80u);
  EXPECT_EQ(columns_of(lines[4].text), 80u);
}

TEST(LightView, NoLineIsLongerAndThereAreNoMoreThanTheTerminalHas) {
  LightView view = view_of(64);
  view.message = std::string(500, 'm');
  for (const std::size_t columns : {0, 1, 2, 79, 80, 113, 114, 200}) {
    for (const std::size_t rows : {0, 1, 2, 3, 5, 24, 100}) {
      const auto lines = view_lines(view, columns, rows);
      EXPECT_LE(lines.size(), rows);
      for (const ViewLine& line : lines) EXPECT_LE(columns_of(line.text), columns);
    }
  }
}

TEST(LightView, AMessageIsShownThoughSensorsAreCut) {
  LightView view = view_of(64);
  view.message = "sensor 3 is lost: unplugged";
  const auto lines = view_lines(view, 80, 24);
  EXPECT_EQ(lines.size(), 24u);
  EXPECT_EQ(lines.back().text, view.message);
  EXPECT_EQ(lines.back().style, Style::attention);
}

TEST(LightView, WhatIsNotAsItShouldBeStandsOut) {
  LightView view = view_of(4);
  view.uniform = false;
  view.sensors[0].sample = {};
  view.sensors[1].sample.settings_state = SettingsState::refused;
  view.sensors[2].lost = true;
  const auto lines = view_lines(view, 120, 24);
  EXPECT_THAT(lines[0].text, HasSubstr("not uniform"));
  EXPECT_EQ(lines[0].style, Style::attention);
  EXPECT_THAT(lines[4].text, StartsWith(" 0 missing"));
  EXPECT_EQ(lines[4].style, Style::attention);
  EXPECT_THAT(lines[5].text, HasSubstr("refused"));
  EXPECT_EQ(lines[5].style, Style::attention);
  EXPECT_EQ(lines[6].style, Style::attention);
  EXPECT_EQ(lines[7].style, Style::plain);
}

TEST(LightView, ValuesThatAreNotKnownAreDashes) {
  LightView view = view_of(1);
  view.sensors[0].sample.reading.reset();
  view.sensors[0].sample.settings.exposure = Nanoseconds(0);
  const std::string row = view_lines(view, 80, 24)[4].text;
  EXPECT_THAT(row, StartsWith(" 0        - "));
  EXPECT_THAT(row, HasSubstr("    -     -      - "));
}

TEST(LightView, TheTargetIsToldWhereSomethingAimsAtIt) {
  LightView view = view_of(1);
  EXPECT_THAT(text_of(view_lines(view, 80, 24)), HasSubstr("target 0.160"));
  view.mode = LightMode::manual;
  EXPECT_THAT(text_of(view_lines(view, 80, 24)), Not(HasSubstr("target")));
}

TEST(LightView, BeforeTheFirstBatchItSaysSo) {
  LightView view = view_of(4);
  view.batches = 0;
  EXPECT_THAT(text_of(view_lines(view, 80, 24)), HasSubstr("no batch yet"));
  EXPECT_THAT(view_text(view), HasSubstr("no batch yet"));
}

TEST(LightView, OneLineTellsAllSensors) {
  LightView view = view_of(2);
  view.sensors[0].drops = 2;
  view.sensors[1].sample = {};
  const std::string text = view_text(view);
  EXPECT_THAT(text, HasSubstr("batch 41  30.0/s  uniform  mode shared  revision 7"));
  EXPECT_THAT(text, HasSubstr("drops 2"));
  EXPECT_THAT(text, HasSubstr("| 0 10.000ms x2.00 luma 0.158 | 1 missing"));
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(LightView, EventsAreToldInWords) {
  EXPECT_EQ(event_text({.kind = RigEvent::Kind::sensor_lost,
                        .sensor = 2,
                        .error = {Errc::device_lost, 0, "read sim"}}),
            "sensor 2 is lost: read sim");
  EXPECT_EQ(event_text({.kind = RigEvent::Kind::sensor_back, .sensor = 1, .error = {}}),
            "sensor 1 is back");
  EXPECT_THAT(event_text({.kind = RigEvent::Kind::frames_dropped, .count = 3, .error = {}}),
              HasSubstr("3 frames dropped"));
  EXPECT_THAT(event_text({.kind = RigEvent::Kind::settings_refused, .error = {}}),
              HasSubstr("refused"));
  EXPECT_THAT(event_text({.kind = RigEvent::Kind::no_settings, .error = {}}), HasSubstr("light"));
}

}  // namespace
}  // namespace lockstep::tools
