// SPDX-License-Identifier: MIT
#include "sensor/sim/capture.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "result_testing.h"
#include "settings_testing.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

SimOptions options(int delay = 2) {
  SimOptions options;
  options.realtime = false;
  options.settings.exposure = milliseconds(10);
  options.readout = milliseconds(5);
  options.caps = sim_caps(delay);
  return options;
}

SimCapture capture(const SimOptions& options, Fraction rate = {100, 1}) {
  SimCapture capture(options, 3, rate);
  capture.begin(Nanoseconds(0));
  return capture;
}

// Before the first exposure, and thus counted from it.
constexpr Nanoseconds kBefore{-1};

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

// What the next `count` exposures are made with.
std::vector<SimShot> shots(SimCapture& sensor, std::size_t count) {
  std::vector<SimShot> shots;
  for (; shots.size() < count; sensor.advance()) shots.push_back(sensor.next());
  return shots;
}

TEST(SimCapture, SettingsHoldAfterTheControlDelay) {
  SimCapture sensor = capture(options());
  sensor.advance();
  sensor.write(exposure_of(milliseconds(2)), 9, milliseconds(5));
  for (const SimShot& shot : shots(sensor, 5)) {
    const bool holds = shot.info.sequence >= 3;
    EXPECT_EQ(shot.info.settings_revision, holds ? 9u : 0u) << shot.info.sequence;
    EXPECT_EQ(shot.info.settings.exposure, holds ? milliseconds(2) : milliseconds(10));
  }
}

TEST(SimCapture, EachSettingHasADelayOfItsOwn) {
  SimOptions uneven = options();
  for (const Setting setting : kSettings)
    uneven.caps[setting]->delay = static_cast<int>(setting) + 1;
  SimCapture sensor = capture(uneven);
  const auto change = exposure_of(milliseconds(2))
                          .set(Setting::analogue_gain, 2)
                          .set(Setting::digital_gain, 3)
                          .set(Setting::red_gain, 1.5)
                          .set(Setting::blue_gain, 0.5)
                          .set(Setting::frame_duration, milliseconds(20));
  sensor.write(change, 9, kBefore);
  for (const SimShot& shot : shots(sensor, 9))
    for (const Setting setting : kSettings) {
      const bool holds = shot.info.sequence >= 1 + static_cast<std::uint64_t>(setting);
      EXPECT_EQ(value_of(shot.settings, setting) == *change[setting], holds)
          << to_string(setting) << " of " << shot.info.sequence;
    }
}

TEST(SimCapture, TheMarkerOfARevisionComesWithTheQuickestSettingOfItsWrite) {
  SimOptions uneven = options(4);
  uneven.caps[Setting::analogue_gain]->delay = 1;
  SimCapture sensor = capture(uneven);
  sensor.write(exposure_of(milliseconds(2)).set(Setting::analogue_gain, 2), 9, kBefore);
  const auto all = shots(sensor, 5);
  EXPECT_EQ(all[0].settings_revision, 0u);
  EXPECT_EQ(all[1].settings_revision, 9u);
  EXPECT_EQ(all[1].settings.analogue_gain, 2);
  EXPECT_EQ(all[3].settings.exposure, milliseconds(10));
  EXPECT_EQ(all[4].settings.exposure, milliseconds(2));
}

TEST(SimCapture, AMarkerAloneHoldsForTheNextExposure) {
  SimCapture sensor = capture(options(4));
  sensor.write({}, 9, kBefore);
  EXPECT_EQ(sensor.next().settings_revision, 9u);
}

TEST(SimCapture, AMarkerTakesThePlaceOfThoseThatAreStillToCome) {
  SimCapture sensor = capture(options(2));
  sensor.write(exposure_of(milliseconds(2)), 1, kBefore);
  sensor.write({}, 2, kBefore);
  for (const SimShot& shot : shots(sensor, 4)) EXPECT_EQ(shot.settings_revision, 2u);
}

TEST(SimCapture, WithoutDelayTheNextExposureHasThem) {
  SimCapture sensor = capture(options(0));
  sensor.write(exposure_of(milliseconds(2)), 9, kBefore);
  EXPECT_EQ(sensor.next().info.settings_revision, 9u);
}

TEST(SimCapture, AnExposureThatHasBegunByTheTimeOfTheWriteDoesNotCount) {
  for (auto [now, first] : {std::pair{Nanoseconds(-1), 0u},
                            {Nanoseconds(0), 1u},
                            {milliseconds(10) - Nanoseconds(1), 1u},
                            {milliseconds(10), 2u},
                            {milliseconds(35), 4u}}) {
    SimCapture sensor = capture(options(0));
    sensor.write(exposure_of(milliseconds(2)), 9, now);
    for (const SimShot& shot : shots(sensor, 6))
      EXPECT_EQ(shot.settings_revision == 9, shot.info.sequence >= first) << now.count();
  }
}

TEST(SimCapture, WhenExposuresBeginIsJudgedByTheTruthAndNotByTheReport) {
  SimOptions noisy = options(0);
  noisy.timing.jitter = milliseconds(3);
  noisy.timing.stamp_noise = milliseconds(3);
  noisy.timing.drift_ppm = 500;
  SimCapture reference = capture(noisy);
  const auto undisturbed = shots(reference, 200);
  for (std::size_t k = 1; k + 1 < undisturbed.size(); k += 7) {
    for (const bool before : {true, false}) {
      SimCapture sensor = capture(noisy);
      const Nanoseconds now = undisturbed[k].exposed - Nanoseconds(before ? 1 : 0);
      sensor.write({}, 9, now);
      const auto all = shots(sensor, k + 2);
      EXPECT_EQ(all[k - 1].settings_revision, 0u);
      EXPECT_EQ(all[k].settings_revision, before ? 9u : 0u);
      EXPECT_EQ(all[k + 1].settings_revision, 9u);
    }
  }
}

TEST(SimCapture, ADurationThatIsStillToComeIsCountedInWhereAWriteIsPlaced) {
  SimCapture sensor = capture(options(1));
  // Exposures 0 and 1 are 10 ms apart, then 40 ms from one to the next: 0, 10, 50, 90 ms.
  sensor.write(SettingsChange().set(Setting::frame_duration, milliseconds(40)), 1, kBefore);
  sensor.write({}, 2, milliseconds(49));
  const auto all = shots(sensor, 4);
  EXPECT_EQ(all[2].exposed, milliseconds(50));
  EXPECT_EQ(all[1].settings_revision, 1u);
  EXPECT_EQ(all[2].settings_revision, 2u);
}

TEST(SimCapture, EachOfSeveralChangesHoldsInItsTurn) {
  SimCapture sensor = capture(options());
  sensor.write(exposure_of(milliseconds(1)), 1, kBefore);
  sensor.advance();
  sensor.write(exposure_of(milliseconds(2)), 2, milliseconds(5));
  sensor.advance();
  EXPECT_EQ(sensor.next().info.settings_revision, 1u);
  sensor.advance();
  EXPECT_EQ(sensor.next().info.settings_revision, 2u);
}

TEST(SimCapture, WhatWasAskedBeforeTheStreamHoldsFromItsFirstFrame) {
  SimCapture sensor(options(), 0, {100, 1});
  sensor.write(exposure_of(milliseconds(2)), 4, seconds(100));
  sensor.begin(Nanoseconds(0));
  EXPECT_EQ(sensor.next().info.settings_revision, 4u);
  EXPECT_EQ(sensor.next().info.settings.exposure, milliseconds(2));
}

TEST(SimCapture, WhatIsOnItsWayWhenAStreamEndsOrBreaksHoldsFromTheNextFirstFrame) {
  SimCapture sensor = capture(options(50));
  sensor.write(exposure_of(milliseconds(2)), 4, kBefore);
  sensor.resume(milliseconds(75));
  EXPECT_EQ(sensor.next().info.sequence, 8u);
  EXPECT_EQ(sensor.next().info.settings_revision, 4u);
  sensor.write(exposure_of(milliseconds(3)), 5, milliseconds(75));
  sensor.begin(Nanoseconds(0));
  EXPECT_EQ(sensor.next().info.settings_revision, 5u);
  sensor.end();
  sensor.write(exposure_of(milliseconds(4)), 6, seconds(100));
  sensor.begin(Nanoseconds(0));
  EXPECT_EQ(sensor.next().info.settings.exposure, milliseconds(4));
}

TEST(SimCapture, NoExposureIsLongerThanItsFrame) {
  SimOptions stepped = options(0);
  stepped.caps[Setting::exposure]->step = 3e6;
  stepped.caps[Setting::exposure]->min = 3e6;
  for (auto [of, expected] :
       {std::pair{options(0), milliseconds(10)}, {stepped, milliseconds(9)}}) {
    SimCapture sensor = capture(of);
    sensor.write(exposure_of(milliseconds(60)), 1, kBefore);
    EXPECT_EQ(sensor.next().settings.exposure, expected);
    sensor.write(SettingsChange().set(Setting::frame_duration, milliseconds(80)), 2, kBefore);
    EXPECT_EQ(sensor.next().settings.exposure, milliseconds(60));
  }
}

TEST(SimCapture, FramesOfASensorThatDoesNotReportTellNoSettings) {
  SimOptions silent = options(0);
  silent.caps.reports = false;
  SimCapture sensor = capture(silent);
  sensor.write(exposure_of(milliseconds(2)), 1, kBefore);
  EXPECT_EQ(sensor.next().info.settings, Settings());
  EXPECT_EQ(sensor.next().info.settings_revision, 0u);
  EXPECT_EQ(sensor.next().settings.exposure, milliseconds(2));
  EXPECT_EQ(sensor.next().settings_revision, 1u);
  EXPECT_EQ(sensor.next().ready, milliseconds(2 + 5));
}

TEST(SimCapture, WritesAreRefusedInTheirSpanOfTheStream) {
  SimOptions stubborn = options();
  stubborn.refusal = {milliseconds(40), milliseconds(60)};
  SimCapture sensor(stubborn, 0, {100, 1});
  EXPECT_FALSE(sensor.refuses_writes(milliseconds(50)));
  sensor.begin(seconds(7));
  EXPECT_FALSE(sensor.refuses_writes(seconds(7) + milliseconds(39)));
  EXPECT_TRUE(sensor.refuses_writes(seconds(7) + milliseconds(40)));
  EXPECT_FALSE(sensor.refuses_writes(seconds(7) + milliseconds(60)));
}

TEST(SimCapture, FrameDurationChangesTheRate) {
  SimCapture sensor = capture(options(0));
  sensor.write(SettingsChange().set(Setting::frame_duration, milliseconds(40)), 1, kBefore);
  sensor.advance();
  sensor.advance();
  EXPECT_EQ(sensor.next().exposed, milliseconds(80));
}

TEST(TakenBySim, ValuesBeyondTheRangeAreBroughtWithin) {
  const auto taken = taken_by_sim(SettingsChange()
                                      .set(Setting::exposure, seconds(5))
                                      .set(Setting::analogue_gain, 100)
                                      .set(Setting::digital_gain, 0)
                                      .set(Setting::red_gain, -1)
                                      .set(Setting::blue_gain, 9),
                                  sim_caps(0));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*taken, SettingsChange()
                        .set(Setting::exposure, seconds(1))
                        .set(Setting::analogue_gain, 16)
                        .set(Setting::digital_gain, 1)
                        .set(Setting::red_gain, 0.25)
                        .set(Setting::blue_gain, 4));
}

TEST(TakenBySim, ValuesAreRoundedToTheStepAndTimesToTheNanosecond) {
  SettingsCaps caps = sim_caps(0);
  caps[Setting::analogue_gain]->step = 0.25;
  caps[Setting::exposure]->min = 100'000;
  caps[Setting::exposure]->step = 100'000;
  const auto taken = taken_by_sim(SettingsChange()
                                      .set(Setting::exposure, 10'049'000)
                                      .set(Setting::analogue_gain, 2.4)
                                      .set(Setting::frame_duration, 33'333'333.4),
                                  caps);
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*taken, SettingsChange()
                        .set(Setting::exposure, 10'000'000)
                        .set(Setting::analogue_gain, 2.5)
                        .set(Setting::frame_duration, 33'333'333));
}

TEST(TakenBySim, WhatIsNotANumberOrNotThereIsRefused) {
  SettingsCaps caps = sim_caps(0);
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(fails(taken_by_sim(SettingsChange().set(Setting::red_gain, nan), caps),
                    Errc::invalid_argument, "red-gain"));
  caps[Setting::red_gain].reset();
  caps.missing = "why";
  EXPECT_TRUE(fails(taken_by_sim(exposure_of(milliseconds(1)).set(Setting::red_gain, 2), caps),
                    Errc::not_supported, "set red-gain, the sensor has no such control (why)"));
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
