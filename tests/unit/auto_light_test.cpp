// SPDX-License-Identifier: MIT
// The loop closed around cameras of a few lines; light_loop_test closes it through a rig.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "light_testing.h"
#include "lockstep/light.h"
#include "model_cameras.h"

namespace lockstep {
namespace {

LightConfig config_in(LightMode mode) {
  LightConfig config;
  config.mode = mode;
  return config;
}

// Frames from the first under `light` to the first of those that are all within 5 % of the target.
int frames_to_target(ModelCameras& cameras, double light, int batches = 60) {
  int reached = 0;
  for (int i = 0; i < batches; ++i) {
    cameras.batch(light);
    if (off_target(cameras.mean()) > 0.05) reached = i + 1;
  }
  return reached;
}

class StepTest : public ::testing::TestWithParam<std::tuple<double, int>> {};

TEST_P(StepTest, ReachesTheTargetWithinTwelveFrames) {
  const auto [stops, delay] = GetParam();
  ModelCameras cameras(config_in(LightMode::shared), 2);
  for (auto& camera : cameras.cameras) camera.delay = delay;
  cameras.settle(1);
  ASSERT_LT(off_target(cameras.mean()), 0.03);
  const int frames = frames_to_target(cameras, std::exp2(stops));
  RecordProperty("frames", frames);
  EXPECT_LE(frames, 12) << stops << " stops";
}

INSTANTIATE_TEST_SUITE_P(StopsAndDelays, StepTest,
                         ::testing::Combine(::testing::Values(-4, -3, -2, -1, -0.3, 0.3, 1, 2, 3,
                                                              4),
                                            ::testing::Values(0, 1, 2, 3)));

TEST(AutoLight, DoesNotOscillateAfterAStep) {
  for (const double stops : {-4.0, -1.0, 1.0, 4.0}) {
    ModelCameras cameras(config_in(LightMode::shared), 1);
    cameras.settle(1);
    cameras.settle(std::exp2(stops), 16);
    const std::uint32_t revision = cameras.revision;
    for (int i = 0; i < 100; ++i) {
      cameras.batch(std::exp2(stops));
      EXPECT_LT(off_target(cameras.mean()), 0.05) << stops << " stops, frame " << i;
    }
    EXPECT_LE(cameras.revision, revision + 3) << stops << " stops";
  }
}

TEST(AutoLight, HoldsASteadySceneWithoutChangingSettingsAllTheTime) {
  ModelCameras cameras(config_in(LightMode::shared), 2);
  cameras.noise = 3;
  cameras.settle(1, 60);
  const std::uint32_t revision = cameras.revision;
  double worst = 0;
  for (int i = 0; i < 300; ++i) {
    cameras.batch(1);
    worst = std::max(worst, off_target(cameras.mean()));
  }
  EXPECT_LT(worst, 0.03);
  EXPECT_LE(cameras.revision, revision + 5);
}

TEST(AutoLight, FollowsARampWithinATenthOfAStop) {
  ModelCameras cameras(config_in(LightMode::shared), 1);
  cameras.settle(1);
  double worst = 0;
  for (int i = 0; i < 120; ++i) {
    cameras.batch(std::exp2(-3.0 * i / 120));
    worst = std::max(worst, off_target(cameras.mean()));
  }
  EXPECT_LT(worst, 0.15);
}

TEST(AutoLight, TakesExposureFirstThenAnalogueThenDigitalGain) {
  ModelCameras cameras(config_in(LightMode::shared), 1);
  const Settings& settings = cameras.cameras[0].settings;
  cameras.settle(1);
  EXPECT_EQ(settings.analogue_gain, 1);
  EXPECT_NEAR(settings.digital_gain, 1, 0.01);
  cameras.settle(0.1);
  EXPECT_NEAR(static_cast<double>(settings.exposure.count()), 33e6, 1e6);
  EXPECT_GT(settings.analogue_gain, 1);
  EXPECT_LT(settings.digital_gain, 1.07);
  cameras.settle(0.02);
  EXPECT_EQ(settings.analogue_gain, 8);
  EXPECT_GT(settings.digital_gain, 1.1);
}

TEST(AutoLight, StaysWithinItsLimitsInTheDarkAndComesBack) {
  LightConfig config = config_in(LightMode::shared);
  config.max_gain = 12;
  config.max_exposure = std::chrono::milliseconds(20);
  ModelCameras cameras(config, 1);
  const Settings& settings = cameras.cameras[0].settings;
  cameras.settle(1);
  for (int i = 0; i < 60; ++i) {
    cameras.batch(0);
    EXPECT_LE(settings.exposure, config.max_exposure);
    EXPECT_LE(settings.analogue_gain * settings.digital_gain, 12.001);
  }
  EXPECT_EQ(settings.exposure, config.max_exposure);
  EXPECT_NEAR(settings.analogue_gain * settings.digital_gain, 12, 0.05);
  EXPECT_LE(frames_to_target(cameras, 1), 12);
}

TEST(AutoLight, ExposesForWholeHalfPeriodsOfTheMains) {
  for (const auto& [mains, half_ms] :
       {std::pair{Antiflicker::mains_50_hz, 10.0}, {Antiflicker::mains_60_hz, 1000.0 / 120}}) {
    LightConfig config = config_in(LightMode::shared);
    config.antiflicker = mains;
    ModelCameras cameras(config, 1);
    const Settings& settings = cameras.cameras[0].settings;
    for (const double light : {0.9, 0.7, 0.5, 0.35, 0.2, 0.05}) {
      cameras.settle(light, 60);
      const double halves = static_cast<double>(settings.exposure.count()) / 1e6 / half_ms;
      EXPECT_GE(halves, 0.999);
      EXPECT_NEAR(halves, std::round(halves), 1e-4) << light;
      EXPECT_LT(off_target(cameras.mean()), 0.03) << light;
    }
    cameras.settle(8);
    EXPECT_LT(static_cast<double>(settings.exposure.count()) / 1e6, half_ms);
    EXPECT_LT(off_target(cameras.mean()), 0.03);
  }
}

TEST(AutoLight, GainMakesUpForWhatStepsOfExposureLeave) {
  ModelCameras cameras(config_in(LightMode::shared), 2);
  cameras.cameras[0].caps[Setting::exposure] = SettingRange{1e6, 1e9, 2e6, 2};
  cameras.settle(0.8);
  EXPECT_LT(off_target(cameras.mean()), 0.03);
  EXPECT_EQ(cameras.cameras[0].settings, cameras.cameras[1].settings);
}

TEST(AutoLight, BrightScenesAreExposedDownToTheLeastExposure) {
  ModelCameras cameras(config_in(LightMode::shared), 1);
  cameras.settle(1);
  EXPECT_LE(frames_to_target(cameras, 100), 16);
  cameras.settle(1e5);
  EXPECT_EQ(cameras.cameras[0].settings.exposure, Nanoseconds(20'000));
}

TEST(AutoLight, OneSensorsLampDoesNotSetTheOthersApart) {
  ModelCameras cameras(config_in(LightMode::shared), 4);
  cameras.cameras[2].lamp = 0.3;
  cameras.settle(1, 100);
  for (const auto& camera : cameras.cameras) {
    EXPECT_EQ(camera.settings, cameras.cameras[0].settings);
    EXPECT_EQ(camera.wanted, cameras.cameras[0].wanted);
  }
  EXPECT_LT(off_target(cameras.mean()), 0.03);
}

TEST(AutoLight, IndependentSensorsReachTheTargetEachByItself) {
  ModelCameras cameras(config_in(LightMode::independent), 3);
  cameras.cameras[0].response = 0.25;
  cameras.cameras[2].response = 4;
  cameras.settle(1, 60);
  for (const auto& camera : cameras.cameras) EXPECT_LT(off_target(camera.mean), 0.03);
  EXPECT_GT(cameras.cameras[0].settings.exposure, 10 * cameras.cameras[2].settings.exposure);
}

TEST(AutoLight, AllFollowTheLeader) {
  LightConfig config = config_in(LightMode::follow);
  config.leader = 1;
  ModelCameras cameras(config, 3);
  cameras.cameras[1].response = 0.5;
  cameras.settle(1);
  EXPECT_LT(off_target(cameras.cameras[1].mean), 0.03);
  EXPECT_GT(cameras.cameras[0].mean, 0.25);
  EXPECT_EQ(cameras.cameras[0].settings, cameras.cameras[1].settings);

  // Without it, the last settings hold.
  cameras.cameras[1].state = FrameState::missing;
  const std::uint32_t revision = cameras.revision;
  cameras.settle(4);
  EXPECT_EQ(cameras.revision, revision);
}

TEST(AutoLight, WeightsSayWhoseLightCounts) {
  LightConfig config = config_in(LightMode::shared);
  config.weights = {1, 0};
  ModelCameras cameras(config, 2);
  cameras.cameras[1].response = 4;
  cameras.settle(1);
  EXPECT_LT(off_target(cameras.cameras[0].mean), 0.03);
  EXPECT_EQ(cameras.cameras[0].settings, cameras.cameras[1].settings);
}

TEST(AutoLight, MissingFramesChangeNothingForTheOthers) {
  ModelCameras cameras(config_in(LightMode::shared), 2);
  cameras.cameras[1].response = 4;
  cameras.settle(1, 60);
  const std::uint32_t revision = cameras.revision;
  for (int i = 0; i < 40; ++i) {
    cameras.cameras[1].state = i % 3 == 0 ? FrameState::missing : FrameState::fresh;
    cameras.batch(1);
  }
  EXPECT_LE(cameras.revision, revision + 2);
}

TEST(AutoLight, ASensorWithoutControlsDoesNotCount) {
  ModelCameras cameras(config_in(LightMode::shared), 2);
  cameras.cameras[1].caps = {};
  cameras.cameras[1].response = 10;
  cameras.settle(1);
  EXPECT_LT(off_target(cameras.cameras[0].mean), 0.03);
}

TEST(AutoLight, SensorsThatLackASettingAreLeftOutOfIt) {
  ModelCameras cameras(config_in(LightMode::shared), 2);
  cameras.cameras[1].caps[Setting::analogue_gain].reset();
  cameras.settle(0.15, 60);
  EXPECT_GT(cameras.cameras[0].settings.analogue_gain, 1.5);
  EXPECT_EQ(cameras.cameras[1].settings.analogue_gain, 1);
  EXPECT_LT(off_target(cameras.cameras[0].mean), 0.03);
  EXPECT_EQ(cameras.cameras[0].settings.exposure, cameras.cameras[1].settings.exposure);
}

TEST(AutoLight, FramesOfUnknownSettingsAreNotBelieved) {
  ModelCameras cameras(config_in(LightMode::shared), 1);
  cameras.cameras[0].settings_state = SettingsState::unknown;
  cameras.settle(16);
  EXPECT_EQ(cameras.revision, 0U);
}

TEST(AutoLight, ASensorThatRefusesIsNotAskedEveryFrame) {
  ModelCameras cameras(config_in(LightMode::shared), 1);
  cameras.cameras[0].deaf = true;
  cameras.settle(8, 120);
  EXPECT_GE(cameras.revision, 3U);
  EXPECT_LE(cameras.revision, 20U);
}

TEST(AutoLight, WhatIsOverriddenForASensorIsNotAskedOfItAgainAndAgain) {
  LightConfig config = config_in(LightMode::shared);
  config.overrides.resize(2);
  config.overrides[1].set(Setting::exposure, std::chrono::milliseconds(3));
  ModelCameras cameras(config, 2);
  const auto settle = [&] {
    for (int i = 0; i < 100; ++i) {
      cameras.batch(1);
      // As a rig does: the override stands, whatever else is asked.
      cameras.cameras[1].wanted.exposure = std::chrono::milliseconds(3);
    }
  };
  settle();
  const std::uint32_t revision = cameras.revision;
  settle();
  EXPECT_LE(cameras.revision, revision + 1);
}

TEST(AutoLight, WhiteBalanceMakesTheSceneGreySmoothlyAndWithinLimits) {
  ModelCameras cameras(config_in(LightMode::shared), 2);
  for (auto& camera : cameras.cameras) camera.tint = {1.4, 1, 0.6};
  double red = 1;
  for (int i = 0; i < 80; ++i) {
    cameras.batch(1);
    const double now = cameras.cameras[0].wanted.red_gain;
    EXPECT_LT(std::abs(std::log(now / red)), std::log(1.05)) << i;  // 3 % and a step
    red = now;
  }
  const Metering& metering = cameras.cameras[0].metering;
  EXPECT_NEAR(metering.red / metering.green, 1, 0.03);
  EXPECT_NEAR(metering.blue / metering.green, 1, 0.03);

  for (auto& camera : cameras.cameras) camera.tint = {0.1, 1, 1};
  cameras.settle(1, 150);
  EXPECT_NEAR(cameras.cameras[0].wanted.red_gain, 2.5, 0.02);
}

TEST(AutoLight, WhiteBalanceMayBeLeftAlone) {
  LightConfig config = config_in(LightMode::shared);
  config.white_balance = false;
  ModelCameras cameras(config, 1);
  cameras.cameras[0].tint = {1.4, 1, 0.6};
  cameras.cameras[0].wanted.red_gain = 1.25;
  cameras.settle(1);
  EXPECT_EQ(cameras.cameras[0].settings.red_gain, 1.25);
  EXPECT_EQ(cameras.cameras[0].settings.blue_gain, 1);
}

TEST(AutoLight, ExposuresFitFramesThatAServoShortens) {
  LightConfig config = config_in(LightMode::shared);
  config.align_exposures = true;
  ModelCameras cameras(config, 1);
  cameras.cameras[0].wanted.frame_duration = Nanoseconds(32'700'000);
  cameras.settle(0.01, 80);
  EXPECT_LT(cameras.cameras[0].settings.exposure, Nanoseconds(32'600'000));
  EXPECT_GT(cameras.cameras[0].settings.exposure, Nanoseconds(32'000'000));
}

TEST(AutoLight, AnswersNothingToNonsense) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const LightMode mode : {LightMode::shared, LightMode::follow, LightMode::independent}) {
    const auto algorithm = make_light_algorithm(config_in(mode));
    EXPECT_TRUE(algorithm->decide({}).empty());
    std::vector<LightReport::PerSensor> sensors(3);
    LightReport report;
    report.sensors = sensors;
    EXPECT_TRUE(algorithm->decide(report).empty());

    const SettingsCaps caps = ModelCameras::usual_caps();
    Metering metering;
    for (auto& sensor : sensors) {
      sensor.caps = &caps;
      sensor.state = FrameState::fresh;
      sensor.metering = &metering;
      sensor.info.settings_state = SettingsState::settled;
      sensor.info.settings.exposure = std::chrono::milliseconds(1);
    }
    const auto all_sane = [&] {
      for (const SettingsChange& change : algorithm->decide(report))
        if (!change.empty() && !check(change, caps)) return false;
      return true;
    };
    EXPECT_TRUE(all_sane());
    metering.trimmed_mean = kNan;
    metering.clipped_bright = kNan;
    metering.red = metering.green = metering.blue = metering.colour_share = kNan;
    EXPECT_TRUE(algorithm->decide(report).empty());
    metering.trimmed_mean = 0.3;
    EXPECT_TRUE(all_sane());
    metering.trimmed_mean = std::numeric_limits<double>::infinity();
    EXPECT_TRUE(all_sane());
    metering.trimmed_mean = 0.3;
    metering.colour_share = 1;
    metering.green = 1e300;
    metering.red = 1e-300;
    EXPECT_TRUE(all_sane());
    for (auto& sensor : sensors) sensor.info.settings.analogue_gain = 0;
    EXPECT_TRUE(all_sane());
    for (auto& sensor : sensors) sensor.info.settings.analogue_gain = kNan;
    EXPECT_TRUE(all_sane());
  }
}

TEST(AutoLight, NobodyDecidesInManualAndApplicationMode) {
  EXPECT_EQ(make_light_algorithm(config_in(LightMode::manual)), nullptr);
  EXPECT_EQ(make_light_algorithm(config_in(LightMode::application)), nullptr);
}

}  // namespace
}  // namespace lockstep
