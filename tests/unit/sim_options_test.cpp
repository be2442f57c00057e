// SPDX-License-Identifier: MIT
#include "sensor/sim/options.h"

#include <gtest/gtest.h>

#include "result_testing.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

Result<SimOptions> read(const std::string& options) {
  const auto spec = parse_sensor_spec("sim?" + options);
  EXPECT_TRUE(succeeds(spec)) << options;
  return read_sim_options(*spec);
}

TEST(SimOptions, NoneAreNeeded) {
  const auto options = read_sim_options({"sim", "", {}});
  ASSERT_TRUE(succeeds(options));
  EXPECT_TRUE(options->realtime);
  EXPECT_EQ(options->render, SimRender::full);
  EXPECT_EQ(options->delivery, Delivery::fill);
  EXPECT_EQ(options->settings.exposure, milliseconds(10));
  EXPECT_EQ(options->timing.drop, 0);
  EXPECT_FALSE(options->timing.stall.covers(Nanoseconds(0)));
  EXPECT_FALSE(options->timing.unplugged.covers(Nanoseconds(0)));
}

TEST(SimOptions, AllAreRead) {
  const auto options = read(
      "seed=9&drift-ppm=-20&jitter-us=300&stamp-noise-us=7&drop=0.5&corrupt=0.25&duplicate=0.125&"
      "stall-at=100&stall-for=50&unplug-at=200&unplug-for=25.5&phase-us=11&exposure-us=2000&"
      "analogue-gain=2&digital-gain=3&red-gain=1.5&blue-gain=0.5&readout-us=0&control-delay=0&"
      "noise=4&flicker-hz=50&flicker-depth=0.25&render=stamp&delivery=lend&realtime=false&"
      "format=RGB&size=637x359");
  ASSERT_TRUE(succeeds(options));
  EXPECT_EQ(options->seed, 9u);
  EXPECT_EQ(options->timing.drift_ppm, -20);
  EXPECT_EQ(options->timing.jitter, microseconds(300));
  EXPECT_EQ(options->timing.stamp_noise, microseconds(7));
  EXPECT_EQ(options->timing.drop, 0.5);
  EXPECT_EQ(options->timing.corrupt, 0.25);
  EXPECT_EQ(options->timing.duplicate, 0.125);
  EXPECT_EQ(options->timing.stall.begin, milliseconds(100));
  EXPECT_EQ(options->timing.stall.end, milliseconds(150));
  EXPECT_EQ(options->timing.unplugged.begin, milliseconds(200));
  EXPECT_EQ(options->timing.unplugged.end, microseconds(225'500));
  EXPECT_EQ(options->phase, microseconds(11));
  EXPECT_EQ(options->settings.exposure, milliseconds(2));
  EXPECT_EQ(options->settings.analogue_gain, 2);
  EXPECT_EQ(options->settings.digital_gain, 3);
  EXPECT_EQ(options->settings.red_gain, 1.5);
  EXPECT_EQ(options->settings.blue_gain, 0.5);
  EXPECT_EQ(options->readout, Nanoseconds(0));
  for (const Setting setting : kSettings) EXPECT_EQ(options->caps[setting]->delay, 0);
  EXPECT_EQ(options->noise, 4);
  EXPECT_EQ(options->lighting.flicker_hz, 50);
  EXPECT_EQ(options->lighting.flicker_depth, 0.25);
  EXPECT_EQ(options->render, SimRender::stamp);
  EXPECT_EQ(options->delivery, Delivery::lend);
  EXPECT_FALSE(options->realtime);
  EXPECT_EQ(options->format, PixelFormat::rgb);
  EXPECT_EQ(options->size, (OptionReader::Size{637, 359}));
}

TEST(SimOptions, AtTheirBoundsAreAllowedAndBeyondNot) {
  struct Bounds {
    const char* name;
    const char* least;
    const char* most;
    const char* too_little;
    const char* too_much;
  };
  const Bounds all[] = {{"drift-ppm", "-10000", "10000", "-10001", "10001"},
                        {"jitter-us", "0", "1000000", "-1", "1000001"},
                        {"stamp-noise-us", "0", "100000000", "-1", "100000001"},
                        {"drop", "0", "0.99", "-0.01", "1"},
                        {"corrupt", "0", "1", "-0.01", "1.01"},
                        {"duplicate", "0", "1", "-0.01", "1.01"},
                        {"stall-at", "0", "86400000", "-1", "86400001"},
                        {"stall-for", "1", "86400000", "0", "86400001"},
                        {"unplug-at", "0", "86400000", "-1", "86400001"},
                        {"unplug-for", "0", "86400000", "-1", "86400001"},
                        {"phase-us", "0", "1000000", "-1", "1000001"},
                        {"exposure-us", "1", "1000000", "0", "1000001"},
                        {"analogue-gain", "1", "16", "0.9", "17"},
                        {"digital-gain", "1", "16", "0.9", "17"},
                        {"red-gain", "0.25", "4", "0.2", "5"},
                        {"blue-gain", "0.25", "4", "0.2", "5"},
                        {"readout-us", "0", "1000000", "-1", "1000001"},
                        {"control-delay", "0", "64", "-1", "65"},
                        {"exposure-delay", "0", "64", "-1", "65"},
                        {"analogue-gain-delay", "0", "64", "-1", "65"},
                        {"digital-gain-delay", "0", "64", "-1", "65"},
                        {"red-gain-delay", "0", "64", "-1", "65"},
                        {"blue-gain-delay", "0", "64", "-1", "65"},
                        {"frame-duration-delay", "0", "64", "-1", "65"},
                        {"exposure-step-us", "0", "1000000", "-1", "1000001"},
                        {"exposure-min-us", "1", "1000000", "0", "1000001"},
                        {"exposure-max-us", "1", "1000000", "0", "1000001"},
                        {"analogue-gain-step", "0", "15", "-0.1", "15.1"},
                        {"analogue-gain-max", "1", "16", "0.9", "17"},
                        {"digital-gain-step", "0", "15", "-0.1", "15.1"},
                        {"digital-gain-max", "1", "16", "0.9", "17"},
                        {"balance-step", "0", "3.75", "-0.1", "3.8"},
                        {"balance-max", "1", "4", "0.9", "4.1"},
                        {"frame-duration-step-us", "0", "1000000", "-1", "1000001"},
                        {"refuse-at", "0", "86400000", "-1", "86400001"},
                        {"refuse-for", "1", "86400000", "0", "86400001"},
                        {"light", "-20", "20", "-20.1", "20.1"},
                        {"light-stops", "-20", "20", "-20.1", "20.1"},
                        {"light-at", "0", "86400000", "-1", "86400001"},
                        {"light-over", "0", "86400000", "-1", "86400001"},
                        {"lamp", "0", "64", "-0.1", "65"},
                        {"response", "0.1", "10", "0.09", "10.1"},
                        {"red-response", "0.25", "4", "0.2", "5"},
                        {"blue-response", "0.25", "4", "0.2", "5"},
                        {"noise", "0", "64", "-1", "65"},
                        {"flicker-hz", "0", "60", "-1", "55"},
                        {"flicker-depth", "0", "1", "-0.1", "1.1"},
                        {"seed", "0", "9223372036854775807", "-1", "9223372036854775808"}};
  for (const Bounds& bounds : all) {
    const auto with = [&](const char* value) {
      return read(std::string(bounds.name) + "=" + value);
    };
    EXPECT_TRUE(succeeds(with(bounds.least))) << bounds.name;
    EXPECT_TRUE(succeeds(with(bounds.most))) << bounds.name;
    EXPECT_TRUE(fails(with(bounds.too_little), Errc::invalid_argument, bounds.name));
    EXPECT_TRUE(fails(with(bounds.too_much), Errc::invalid_argument, bounds.name));
  }
}

TEST(SimOptions, UnknownOnesAreToldWithThoseThereAre) {
  EXPECT_TRUE(fails(read("jiter-us=5"), Errc::invalid_argument,
                    "sim has no option \"jiter-us\"; there is: seed, drift-ppm, jitter-us"));
}

TEST(SimOptions, WordsAreCheckedToo) {
  EXPECT_TRUE(
      fails(read("render=none"), Errc::invalid_argument, "one of full, scene, code, stamp"));
  EXPECT_TRUE(fails(read("delivery=loan"), Errc::invalid_argument, "one of fill, lend"));
  EXPECT_TRUE(fails(read("format=nv12"), Errc::invalid_argument, "one of NV12, I420"));
  EXPECT_TRUE(fails(read("size=0x0"), Errc::invalid_argument, "as 1920x1080"));
}

TEST(SimOptions, EachSettingHasARangeAStepAndADelay) {
  const auto options = read(
      "control-delay=3&exposure-delay=1&analogue-gain-delay=2&digital-gain-delay=0&"
      "red-gain-delay=4&blue-gain-delay=5&frame-duration-delay=64&exposure-step-us=100&"
      "exposure-max-us=50000&analogue-gain-step=0.5&analogue-gain-max=8&digital-gain-step=1&"
      "digital-gain-max=4&balance-step=0.25&balance-max=2&frame-duration-step-us=10&"
      "report=false&refuse-at=100&refuse-for=50");
  ASSERT_TRUE(succeeds(options));
  const auto range = [&](Setting setting) { return *options->caps[setting]; };
  EXPECT_EQ(range(Setting::exposure), (SettingRange{100'000, 50'000'000, 100'000, 1}));
  EXPECT_EQ(range(Setting::analogue_gain), (SettingRange{1, 8, 0.5, 2}));
  EXPECT_EQ(range(Setting::digital_gain), (SettingRange{1, 4, 1, 0}));
  EXPECT_EQ(range(Setting::red_gain), (SettingRange{0.25, 2, 0.25, 4}));
  EXPECT_EQ(range(Setting::blue_gain), (SettingRange{0.25, 2, 0.25, 5}));
  EXPECT_EQ(range(Setting::frame_duration), (SettingRange{4'170'000, 1e9, 10'000, 64}));
  EXPECT_FALSE(options->caps.reports);
  EXPECT_TRUE(options->caps.missing.empty());
  EXPECT_EQ(options->refusal.begin, milliseconds(100));
  EXPECT_EQ(options->refusal.end, milliseconds(150));
}

TEST(SimOptions, LightChangesOnceAtMost) {
  const auto options = read(
      "light=-1.5&light-at=2500&light-stops=4&light-over=1000&lamp=24&response=0.5&"
      "red-response=2&blue-response=0.25");
  ASSERT_TRUE(succeeds(options));
  const SimLighting& lighting = options->lighting;
  EXPECT_EQ(lighting.stops, -1.5);
  EXPECT_EQ(lighting.change_at, milliseconds(2500));
  EXPECT_EQ(lighting.change_stops, 4);
  EXPECT_EQ(lighting.change_over, milliseconds(1000));
  EXPECT_EQ(lighting.lamp, 24);
  EXPECT_EQ(lighting.response, 0.5);
  EXPECT_EQ(lighting.red_response, 2);
  EXPECT_EQ(lighting.blue_response, 0.25);
  EXPECT_FALSE(read("light-stops=4")->lighting.change_at);
}

TEST(SimOptions, WithoutStepsSettingsAreContinuousAndHoldAfterTwoExposures) {
  const auto options = read_sim_options({"sim", "", {}});
  ASSERT_TRUE(succeeds(options));
  EXPECT_EQ(options->caps.ranges, sim_caps(2).ranges);
  EXPECT_TRUE(options->caps.reports);
}

TEST(SimOptions, TheFirstSettingsAreOnesThatTheSensorHas) {
  const auto options = read(
      "exposure-us=10049&exposure-step-us=100&analogue-gain=9&analogue-gain-max=4&red-gain=3&"
      "balance-max=2&controls=exposure,analogue-gain");
  ASSERT_TRUE(succeeds(options));
  EXPECT_EQ(options->settings.exposure, milliseconds(10));
  EXPECT_EQ(options->settings.analogue_gain, 4);
  EXPECT_EQ(options->settings.red_gain, 3);  // It cannot be set.
}

TEST(SimOptions, ControlsSayWhatTheSensorHas) {
  const auto some = read("controls=exposure,frame-duration");
  ASSERT_TRUE(succeeds(some));
  for (const Setting setting : kSettings)
    EXPECT_EQ(some->caps[setting].has_value(),
              setting == Setting::exposure || setting == Setting::frame_duration);
  EXPECT_EQ(some->caps.missing,
            "analogue-gain, digital-gain, red-gain, blue-gain: left out by the option controls");
  const auto none = read("controls=none");
  ASSERT_TRUE(succeeds(none));
  EXPECT_FALSE(none->caps.has_any());
  const auto all = read("controls=all");
  ASSERT_TRUE(succeeds(all));
  EXPECT_TRUE(all->caps.missing.empty());
  for (const char* wrong : {"gain", "exposure,", ",", "", "exposure;red-gain", "all,exposure"}) {
    auto spec = parse_sensor_spec("sim");
    spec->options["controls"] = wrong;
    EXPECT_TRUE(fails(read_sim_options(*spec), Errc::invalid_argument,
                      "wanted all, none, or some, separated by commas, of exposure, analogue-gain"))
        << wrong;
  }
}

TEST(SimOptions, TheLongestExposureIsNoShorterThanTheShortest) {
  EXPECT_TRUE(succeeds(read("exposure-min-us=500&exposure-max-us=500")));
  EXPECT_TRUE(fails(read("exposure-min-us=500&exposure-max-us=499"), Errc::invalid_argument,
                    "exposure-max-us=499"));
}

TEST(SimOptions, UnpluggedForZeroIsForGood) {
  const auto options = read("unplug-at=10&unplug-for=0");
  ASSERT_TRUE(succeeds(options));
  EXPECT_TRUE(options->timing.unplugged.covers(std::chrono::hours(1'000'000)));
}

}  // namespace
}  // namespace lockstep
