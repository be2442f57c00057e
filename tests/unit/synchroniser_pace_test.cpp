// SPDX-License-Identifier: MIT
// Sensors of unequal rates, the newest frame of each, gaps, other clocks, and sensors that come and go.
#include <gtest/gtest.h>

#include "lockstep/synchroniser.h"
#include "synchroniser_bench.h"

namespace lockstep {
namespace {

using std::chrono::seconds;
using Bench = SynchroniserBench;

SyncConfig newest() {
  SyncConfig config{ms(10), ms(30), OnMissing::partial};
  config.group_by = GroupBy::newest;
  config.start_up_wait = ms(0);
  return config;
}

SyncConfig other_clock() {
  SyncConfig config{ms(10), ms(30), OnMissing::partial};
  config.same_clock = false;
  config.start_up_wait = ms(0);
  return config;
}

// --- Pace ---

TEST(SynchroniserPace, SetsWithoutAFrameOfThePaceAreSurplus) {
  Bench bench(2);
  bench.start();
  bench.sync.set_pace(1, false);
  EXPECT_EQ(bench.push_pop(1, ms(16)), "nothing");
  bench.push(0, ms(33), ms(33));
  bench.push(1, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "33 33");
  EXPECT_EQ(bench.drops(), "surplus 1@16");
}

TEST(SynchroniserPace, AFastSensorOfThePaceLeavesTheSlowOnesSlotEmpty) {
  Bench bench(2);
  bench.start();
  bench.sync.set_pace(1, false);
  bench.push(0, ms(33), ms(33));
  bench.push(0, ms(66), ms(66));
  bench.push(1, ms(66), ms(66));
  EXPECT_EQ(bench.pop(ms(66)), "33 -");
  EXPECT_EQ(bench.pop(ms(66)), "66 66");
  EXPECT_EQ(bench.drops(), "");
}

TEST(SynchroniserPace, OneOfSeveralThatSetThePaceIsEnough) {
  Bench bench(3);
  bench.start();
  bench.sync.set_pace(2, false);
  bench.push(1, ms(33), ms(33));
  bench.push(2, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(63)), "- 33 33");
}

TEST(SynchroniserPace, ThePaceOfAnInactiveSensorHoldsUpNobody) {
  Bench bench(2);
  bench.start();
  bench.sync.set_pace(1, false);
  bench.sync.set_active(0, false, ms(1));
  EXPECT_EQ(bench.push_pop(1, ms(33)), "- 33");
}

TEST(SynchroniserPace, WhatWaitsOfAnInactiveSensorStillSetsThePace) {
  Bench bench(2, {ms(5), ms(40), OnMissing::partial});
  bench.start();
  bench.sync.set_pace(1, false);
  bench.push(0, ms(66), ms(66));
  bench.sync.set_active(0, false, ms(66));
  EXPECT_EQ(bench.push_pop(1, ms(33)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(66)), "66 66");
  EXPECT_EQ(bench.drops(), "surplus 1@33");
}

TEST(SynchroniserPace, ThePaceOfAStalledSensorHoldsUpNobody) {
  Bench bench(2);
  bench.start();
  bench.sync.set_pace(1, false);
  for (int k = 1; k <= Synchroniser::kStallAfter; ++k) {
    bench.push(1, ms(33 * k), ms(33 * k));
    EXPECT_FALSE(bench.sync.is_stalled(0));
    bench.pop(ms(33 * k + 30));
  }
  EXPECT_TRUE(bench.sync.is_stalled(0));
  EXPECT_EQ(bench.push_pop(1, ms(200)), "- 200");
  EXPECT_EQ(bench.drops(), "surplus 1@33, surplus 1@66");
}

TEST(SynchroniserPace, TwentyFiveAndThirtyPerSecondGiveTwentyFiveFullSets) {
  Bench bench(2, {ms(16), ms(40), OnMissing::partial});
  bench.start();
  bench.sync.set_pace(1, false);
  int num_full = 0;
  int num_other = 0;
  for (int now = 1; now <= 1000; ++now) {
    if (now % 40 == 0) bench.push(0, ms(now), ms(now));
    if (now * 3 % 100 < 3) bench.push(1, ms(now), ms(now));
    for (std::string set = bench.pop(ms(now)); set != "nothing"; set = bench.pop(ms(now)))
      ++(set.find('-') == std::string::npos ? num_full : num_other);
  }
  EXPECT_EQ(num_full, 25);
  EXPECT_EQ(num_other, 0);
}

TEST(SynchroniserPace, PeriodIsKnownOnceThereWereEnoughFrames) {
  Bench bench(1);
  for (int k = 0; k < 4; ++k) {
    bench.push_pop(0, ms(20 * k));
    EXPECT_FALSE(bench.sync.period(0));
  }
  bench.push_pop(0, ms(80));
  EXPECT_EQ(bench.sync.period(0), ms(20));
}

// Example failure: the sensor that loses frames is taken for a slower one, and sets the pace of those that lose none.
TEST(SynchroniserPace, LostFramesDoNotMakeThePeriodLonger) {
  Bench bench(1);
  for (int k = 0; k < 40; ++k)
    if (k < 5 || k % 5 > 1) bench.push_pop(0, ms(20 * k));
  EXPECT_EQ(bench.sync.period(0), ms(20));
}

TEST(SynchroniserPace, FramesThatKeepComingLessOftenDo) {
  Bench bench(1);
  for (int k = 0; k < 10; ++k) bench.push_pop(0, ms(20 * k));
  for (int k = 5; k < 45; ++k) bench.push_pop(0, ms(40 * k));
  ASSERT_TRUE(bench.sync.period(0));
  EXPECT_NEAR(static_cast<double>(bench.sync.period(0)->count()), 40e6, 1e6);
}

// --- Newest ---

TEST(SynchroniserNewest, ASetIsTheNewestFrameOfEachSensor) {
  Bench bench(2, newest());
  EXPECT_EQ(bench.push_pop(0, ms(1)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(12)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(23)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(29)), "23 29");
  EXPECT_EQ(bench.drops(), "surplus 0@1, surplus 0@12");
}

TEST(SynchroniserNewest, TimesDoNotMatter) {
  Bench bench(2, newest());
  bench.push(0, seconds(500), ms(1));
  bench.push(1, ms(-9), ms(1));
  EXPECT_EQ(bench.pop(ms(1)), "500000 -9");
  bench.push(0, ms(3), ms(2));
  bench.push(1, ms(-9), ms(2));
  EXPECT_EQ(bench.pop(ms(2)), "3 -9");
  EXPECT_EQ(bench.drops(), "");
}

TEST(SynchroniserNewest, AReplacedFrameDoesNotBeginTheWaitAnew) {
  Bench bench(2, newest());
  bench.push(0, ms(1), ms(1));
  bench.push(0, ms(25), ms(25));
  EXPECT_EQ(bench.sync.deadline(), ms(31));
  EXPECT_EQ(bench.pop(ms(31)), "25 -");
}

TEST(SynchroniserNewest, OnlyThePaceIsWaitedFor) {
  Bench bench(2, newest());
  bench.sync.set_pace(1, false);
  EXPECT_EQ(bench.push_pop(0, ms(1)), "1 -");
  EXPECT_EQ(bench.push_pop(1, ms(2)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(3)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(4)), "4 3");
  EXPECT_EQ(bench.drops(), "surplus 1@2");
}

TEST(SynchroniserNewest, CanBeChosenWhileFramesWait) {
  Bench bench(2, other_clock());
  bench.push(0, ms(33), ms(1));
  bench.push(0, ms(66), ms(1));
  bench.sync.set_config(newest());
  bench.push(0, ms(99), ms(2));
  EXPECT_EQ(bench.pop(ms(2)), "nothing");
  bench.push(1, ms(5), ms(3));
  EXPECT_EQ(bench.pop(ms(3)), "99 5");
  EXPECT_EQ(bench.pop(ms(3)), "nothing");
  EXPECT_EQ(bench.drops(), "surplus 0@33, surplus 0@66");
}

// --- Gaps ---

TEST(SynchroniserGap, ASetWithinTheGapDoesNotWait) {
  Bench bench(2);
  bench.start();
  bench.sync.push_gap(1, ms(60), ms(30));
  EXPECT_EQ(bench.push_pop(0, ms(33)), "33 -");
  EXPECT_EQ(bench.push_pop(0, ms(66)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(67)), "66 67");
}

TEST(SynchroniserGap, AFrameWithinToleranceOfTheGapsEndIsWaitedFor) {
  Bench bench(2);
  bench.start();
  bench.sync.push_gap(1, ms(43), ms(30));
  EXPECT_EQ(bench.push_pop(0, ms(33)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(43)), "33 43");
}

TEST(SynchroniserGap, EndsTheWaitThatIsOn) {
  Bench bench(2);
  bench.start();
  EXPECT_EQ(bench.push_pop(0, ms(33)), "nothing");
  bench.sync.push_gap(1, ms(60), ms(34));
  EXPECT_EQ(bench.pop(ms(34)), "33 -");
}

TEST(SynchroniserGap, IsNoStall) {
  Bench bench(2);
  bench.start();
  for (int k = 1; k < 10; ++k) {
    bench.push(0, ms(33 * k), ms(33 * k));
    if (k % 2 == 0) bench.sync.push_gap(1, ms(33 * k), ms(33 * k));
    bench.pop(ms(33 * k + 30));
  }
  EXPECT_FALSE(bench.sync.is_stalled(1));
}

// --- Another clock than that of `now` ---

TEST(SynchroniserOtherClock, NoTimeIsAbsurdOrAhead) {
  Bench bench(2, other_clock());
  bench.push(0, seconds(5000), ms(1));
  bench.push(1, seconds(5000), ms(2));
  EXPECT_EQ(bench.pop(ms(2)), "5000000 5000000");
  bench.push(0, seconds(9000), ms(3));
  EXPECT_EQ(bench.sync.deadline(), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "9000000 -");
  EXPECT_EQ(bench.drops(), "");
}

TEST(SynchroniserOtherClock, TimesThatCannotBeSubtractedAreAbsurd) {
  Bench bench(2, other_clock());
  const Nanoseconds farthest = Nanoseconds::max() / 2;
  bench.push(0, Nanoseconds::min(), ms(1));
  bench.push(1, Nanoseconds::max(), ms(1));
  bench.push(0, farthest, ms(2));
  bench.push(1, farthest, ms(2));
  EXPECT_NE(bench.pop(ms(2)), "nothing");
  std::size_t num_absurd = 0;
  for (const auto& drop : bench.sync.take_drops()) num_absurd += drop.reason == DropReason::absurd;
  EXPECT_EQ(num_absurd, 2u);
}

TEST(SynchroniserOtherClock, ASensorThatBeginsLateWaitsForTheOthers) {
  Bench bench(2, other_clock());
  bench.push(1, seconds(60), ms(1));
  bench.push(0, seconds(0), ms(1));
  EXPECT_EQ(bench.pop(ms(1)), "0 -");
  bench.push(0, seconds(60), ms(2));
  EXPECT_EQ(bench.pop(ms(2)), "60000 60000");
}

TEST(SynchroniserOtherClock, WaitsCountFromThePush) {
  Bench bench(2, other_clock());
  bench.push(0, ms(0), ms(500));
  EXPECT_EQ(bench.pop(ms(529)), "nothing");
  EXPECT_EQ(bench.pop(ms(530)), "0 -");
}

TEST(SynchroniserStartUp, WithoutAWaitTheFirstFrameLeaves) {
  SyncConfig config{ms(10), ms(30), OnMissing::partial};
  config.start_up_wait = ms(0);
  Bench bench(2, config);
  bench.push(0, ms(5), ms(5));
  EXPECT_EQ(bench.pop(ms(35)), "5 -");
}

TEST(Synchroniser, AWaitMayBeginLaterThanTheFrameCame) {
  Bench bench(2);
  bench.start();
  bench.sync.push({0, ms(33), 0, ms(233)}, ms(33));
  EXPECT_EQ(bench.sync.deadline(), ms(263));
}

// --- Sensors that come and go ---

TEST(SynchroniserMembers, AnInsertedSensorTakesItsPlaceInTheSet) {
  Bench bench(2);
  bench.start();
  bench.push(1, ms(33), ms(33));
  bench.sync.insert_sensor(1);
  EXPECT_EQ(bench.sync.num_sensors(), 3u);
  bench.push(0, ms(34), ms(34));
  EXPECT_EQ(bench.pop(ms(34)), "nothing");
  bench.push(1, ms(35), ms(35));
  EXPECT_EQ(bench.pop(ms(35)), "34 35 33");
}

TEST(SynchroniserMembers, ARemovedSensorIsNotWaitedFor) {
  Bench bench(3);
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.push(2, ms(34), ms(34));
  EXPECT_EQ(bench.pop(ms(34)), "nothing");
  bench.sync.remove_sensor(1);
  EXPECT_EQ(bench.drops(), "");
  EXPECT_EQ(bench.pop(ms(34)), "33 34");
}

TEST(SynchroniserMembers, FramesOfARemovedSensorAreFlushed) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.sync.remove_sensor(0);
  EXPECT_EQ(bench.drops(), "flushed 0@33");
  EXPECT_FALSE(bench.sync.deadline());
  EXPECT_EQ(bench.push_pop(0, ms(40)), "40");
}

TEST(SynchroniserMembers, ThereMayBeNoneLeft) {
  Bench bench(1);
  bench.start();
  bench.sync.remove_sensor(0);
  EXPECT_EQ(bench.pop(ms(9)), "nothing");
  bench.sync.insert_sensor(0);
  EXPECT_EQ(bench.push_pop(0, ms(33)), "33");
}

TEST(SynchroniserMembers, AForgottenSensorMayBeginAnew) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(333), ms(333));
  bench.sync.forget(0);
  EXPECT_EQ(bench.drops(), "flushed 0@333");
  bench.push(0, ms(340), ms(340));
  bench.push(1, ms(340), ms(340));
  EXPECT_EQ(bench.pop(ms(340)), "340 340");
}

}  // namespace
}  // namespace lockstep
