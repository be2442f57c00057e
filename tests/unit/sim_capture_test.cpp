// SPDX-License-Identifier: MIT
#include "sensor/sim/capture.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

SimOptions options() {
  SimOptions options;
  options.realtime = false;
  options.settings.exposure = milliseconds(10);
  options.readout = milliseconds(5);
  options.control_delay = 2;
  return options;
}

SimCapture capture(const SimOptions& options, Fraction rate = {100, 1}) {
  SimCapture capture(options, 3, rate);
  capture.begin(Nanoseconds(0));
  return capture;
}

Settings exposure_of(Nanoseconds exposure) {
  Settings settings;
  settings.exposure = exposure;
  return settings;
}

TEST(SimCapture, AFrameIsReadyAfterExposureAndReadout) {
  SimCapture sensor = capture(options());
  sensor.advance();
  const SimShot shot = sensor.next();
  EXPECT_EQ(shot.exposed, milliseconds(10));
  EXPECT_EQ(shot.ready, milliseconds(25));
  EXPECT_EQ(shot.info.captured.since_epoch, milliseconds(10));
  EXPECT_EQ(shot.info.captured.clock, Clock::simulated);
  EXPECT_EQ(shot.info.reference, ReferencePoint::start_of_exposure);
  EXPECT_EQ(shot.info.sensor, 3u);
  EXPECT_EQ(shot.info.sequence, 1u);
}

TEST(SimCapture, SettingsHoldAfterTheControlDelay) {
  SimCapture sensor = capture(options());
  sensor.advance();
  sensor.apply(exposure_of(milliseconds(2)), 9);
  for (std::uint64_t sequence = 1; sequence < 6; ++sequence, sensor.advance()) {
    const FrameInfo info = sensor.next().info;
    const bool holds = sequence >= 3;
    EXPECT_EQ(info.sequence, sequence);
    EXPECT_EQ(info.settings_revision, holds ? 9u : 0u) << sequence;
    EXPECT_EQ(info.settings.exposure, holds ? milliseconds(2) : milliseconds(10)) << sequence;
  }
}

TEST(SimCapture, WithoutDelayTheNextExposureHasThem) {
  SimOptions prompt = options();
  prompt.control_delay = 0;
  SimCapture sensor = capture(prompt);
  sensor.apply(exposure_of(milliseconds(2)), 9);
  EXPECT_EQ(sensor.next().info.settings_revision, 9u);
}

TEST(SimCapture, EachOfSeveralChangesHoldsInItsTurn) {
  SimCapture sensor = capture(options());
  sensor.apply(exposure_of(milliseconds(1)), 1);
  sensor.advance();
  sensor.apply(exposure_of(milliseconds(2)), 2);
  sensor.advance();
  EXPECT_EQ(sensor.next().info.settings_revision, 1u);
  sensor.advance();
  EXPECT_EQ(sensor.next().info.settings_revision, 2u);
}

TEST(SimCapture, WhatWasAskedBeforeTheStreamHoldsFromItsFirstFrame) {
  SimCapture sensor(options(), 0, {100, 1});
  sensor.apply(exposure_of(milliseconds(2)), 4);
  sensor.begin(Nanoseconds(0));
  EXPECT_EQ(sensor.next().info.settings_revision, 4u);
}

TEST(SimCapture, FramesTellTheSettingsReallyUsed) {
  SimOptions prompt = options();
  prompt.control_delay = 0;
  SimCapture sensor = capture(prompt);
  Settings wanted;
  wanted.exposure = seconds(5);
  wanted.analogue_gain = 100;
  wanted.digital_gain = 0;
  wanted.red_gain = std::numeric_limits<double>::quiet_NaN();
  wanted.blue_gain = 9;
  sensor.apply(wanted, 1);
  const Settings used = sensor.next().info.settings;
  EXPECT_EQ(used.exposure, milliseconds(10));
  EXPECT_EQ(used.frame_duration, milliseconds(10));
  EXPECT_EQ(used.analogue_gain, 16);
  EXPECT_EQ(used.digital_gain, 1);
  EXPECT_EQ(used.red_gain, 0.25);
  EXPECT_EQ(used.blue_gain, 4);
}

TEST(SimCapture, AnExposureOfZeroLeavesItAsItWas) {
  SimOptions prompt = options();
  prompt.control_delay = 0;
  SimCapture sensor = capture(prompt);
  Settings gain_only;
  gain_only.analogue_gain = 2;
  sensor.apply(gain_only, 1);
  EXPECT_EQ(sensor.next().info.settings.exposure, milliseconds(10));
  EXPECT_EQ(sensor.next().info.settings.analogue_gain, 2);
}

TEST(SimCapture, FrameDurationChangesTheRate) {
  SimOptions prompt = options();
  prompt.control_delay = 0;
  SimCapture sensor = capture(prompt);
  Settings slow;
  slow.frame_duration = milliseconds(40);
  sensor.apply(slow, 1);
  sensor.advance();
  sensor.advance();
  EXPECT_EQ(sensor.next().exposed, milliseconds(80));
}

TEST(SimCapture, RowsAreReadOutWithinAFrame) {
  SimOptions slow = options();
  slow.readout = seconds(1);
  EXPECT_EQ(capture(slow).next().readout, milliseconds(10));
}

TEST(SimCapture, SensorsOfOneSeedDiffer) {
  SimOptions jittery = options();
  jittery.timing.jitter = milliseconds(1);
  SimCapture one(jittery, 0, {100, 1});
  SimCapture other(jittery, 1, {100, 1});
  one.begin(Nanoseconds(0));
  other.begin(Nanoseconds(0));
  EXPECT_NE(one.next().exposed, other.next().exposed);
}

TEST(SimCapture, IsUnpluggedOnce) {
  SimOptions loose = options();
  loose.timing.unplugged = {milliseconds(40), milliseconds(95)};
  SimCapture sensor = capture(loose);
  EXPECT_EQ(sensor.unplugged_at(), milliseconds(40));
  sensor.resume(sensor.plugged_at());
  EXPECT_EQ(sensor.next().exposed, milliseconds(100));
  EXPECT_EQ(sensor.next().info.sequence, 10u);
  EXPECT_EQ(sensor.unplugged_at(), Nanoseconds::max());
  sensor.begin(Nanoseconds(0));
  EXPECT_EQ(sensor.unplugged_at(), milliseconds(40));
}

}  // namespace
}  // namespace lockstep
