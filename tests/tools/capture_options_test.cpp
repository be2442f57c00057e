// SPDX-License-Identifier: MIT
#include "capture_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::tools {
namespace {

using testing::HasSubstr;

FormatOffer offer(PixelFormat format, std::uint32_t max_width, std::uint32_t max_height) {
  return {format, {16, max_width, 16}, {16, max_height, 2}, {{{5, 1}, {25, 1}}}};
}

TEST(CaptureOptions, FourSimulatedSensorsAreTheDefault) {
  const auto sensors = wanted_sensors({});
  ASSERT_TRUE(sensors);
  EXPECT_EQ(sensors->size(), 4u);
}

TEST(CaptureOptions, OneSimulatedSensorStandsForAsManyAsAreWanted) {
  CaptureOptions options;
  options.sensors = "sim?seed=3";
  EXPECT_EQ(wanted_sensors(options)->size(), 1u);
  options.num_sensors = 9;
  const auto sensors = wanted_sensors(options);
  ASSERT_TRUE(sensors);
  EXPECT_EQ(sensors->size(), 9u);
  EXPECT_EQ(sensors->back().options.at("seed"), "3");
}

TEST(CaptureOptions, AnotherNumberThanIsNamedIsRefused) {
  CaptureOptions options;
  options.sensors = "sim;sim";
  options.num_sensors = 3;
  const auto sensors = wanted_sensors(options);
  ASSERT_FALSE(sensors);
  EXPECT_EQ(sensors.error().code, Errc::invalid_argument);
  EXPECT_THAT(sensors.error().what, HasSubstr("3 sensors are wanted, but 2 are named"));
}

TEST(CaptureOptions, TheFormatIsAsNearToTheDefaultAsTheSensorsCome) {
  const auto format =
      wanted_format({}, {offer(PixelFormat::yuy2, 1920, 1080), offer(PixelFormat::nv12, 640, 480)});
  ASSERT_TRUE(format);
  EXPECT_EQ(*format, (Format{PixelFormat::nv12, 640, 480, {25, 1}}));
}

TEST(CaptureOptions, TheFormatIsAsTheOptionsSay) {
  CaptureOptions options;
  options.pixel_format = "YUY2";
  options.sensor_width = 320;
  options.sensor_height = 240;
  options.framerate = Fraction{10, 1};
  const auto format = wanted_format(
      options, {offer(PixelFormat::nv12, 640, 480), offer(PixelFormat::yuy2, 1920, 1080)});
  ASSERT_TRUE(format);
  EXPECT_EQ(*format, (Format{PixelFormat::yuy2, 320, 240, {10, 1}}));
}

TEST(CaptureOptions, AFormatThatNobodyOffersIsRefusedWithAList) {
  CaptureOptions options;
  options.framerate = Fraction{100, 1};
  const auto format = wanted_format(options, {offer(PixelFormat::nv12, 640, 480)});
  ASSERT_FALSE(format);
  EXPECT_THAT(format.error().what, HasSubstr("NV12"));
}

TEST(CaptureOptions, RatesAreWholeNumbersOrFractions) {
  EXPECT_EQ(rate_from("30"), (Fraction{30, 1}));
  EXPECT_EQ(rate_from("30000/1001"), (Fraction{30000, 1001}));
  EXPECT_EQ(rate_from("2147483647/2147483647"), (Fraction{2147483647, 2147483647}));
  for (const char* text : {"",
                           "/",
                           "-30",
                           "30/-1",
                           "+30",
                           " 30",
                           "30 ",
                           "30/",
                           "/1",
                           "0",
                           "30/0",
                           "29.97",
                           "3e1",
                           "nan",
                           "30/1/1",
                           "2147483648",
                           "30/2147483648",
                           "4294967326",
                           "99999999999999999999",
                           "0x1e"})
    EXPECT_FALSE(rate_from(text)) << text;
}

TEST(CaptureOptions, TheBitRateGrowsWithTheTilesOfAMosaic) {
  EXPECT_EQ(default_bitrate_kbit(1), 2048u);
  EXPECT_EQ(default_bitrate_kbit(16), 2048u);
  EXPECT_EQ(default_bitrate_kbit(64), 8192u);
}

TEST(CaptureOptions, LightIsAsTheOptionsSay) {
  LightOptions options;
  options.mode = "follow";
  options.leader = 2;
  options.antiflicker = "50";
  options.max_exposure_ms = 8.5;
  options.no_white_balance = true;
  options.metering = "spot";
  const LightConfig config = light_config(options);
  EXPECT_EQ(config.mode, LightMode::follow);
  EXPECT_EQ(config.leader, 2u);
  EXPECT_EQ(config.antiflicker, Antiflicker::mains_50_hz);
  EXPECT_EQ(config.max_exposure, std::chrono::microseconds(8500));
  EXPECT_FALSE(config.white_balance);
  EXPECT_EQ(config.metering, spot_metering());
}

TEST(CaptureOptions, LightThatIsNotGivenIsTheDefault) {
  EXPECT_EQ(light_config({}), LightConfig());
  EXPECT_TRUE(wanted_settings({}).empty());
}

TEST(CaptureOptions, SettingsThatAreGivenAreSet) {
  LightOptions options;
  options.exposure_ms = 10;
  options.red_gain = 1.5;
  EXPECT_EQ(wanted_settings(options),
            SettingsChange().set(Setting::exposure, 10e6).set(Setting::red_gain, 1.5));
}

}  // namespace
}  // namespace lockstep::tools
