// SPDX-License-Identifier: MIT
// Sensors that start late, stop and return.
#include <gtest/gtest.h>

#include <string>

#include "lockstep/synchroniser.h"
#include "synchroniser_bench.h"

namespace lockstep {
namespace {

using std::chrono::seconds;
using Bench = SynchroniserBench;

// --- Sensors that stop and return ---

TEST(Synchroniser, SensorWaitedForInVainThreeTimesInARowIsNotWaitedForUntilItDelivers) {
  Bench bench(2);
  bench.start();
  for (int time : {33, 66, 99}) {
    EXPECT_EQ(bench.push_pop(0, ms(time)), "nothing");
    EXPECT_EQ(bench.pop(ms(time + 30)), std::to_string(time) + " -");
  }
  EXPECT_EQ(bench.push_pop(0, ms(132)), "132 -");
  bench.push(1, ms(165), ms(165));
  EXPECT_EQ(bench.push_pop(0, ms(165)), "165 165");
  EXPECT_EQ(bench.push_pop(0, ms(198)), "nothing");
}

TEST(Synchroniser, SensorThatDeliversNowAndThenIsWaitedForEachTime) {
  Bench bench(2);
  bench.start();
  for (int round = 0; round < 4; ++round) {
    const int time = 33 + 99 * round;
    for (int missing : {time, time + 33}) {
      EXPECT_EQ(bench.push_pop(0, ms(missing)), "nothing");
      EXPECT_EQ(bench.pop(ms(missing + 30)), std::to_string(missing) + " -");
    }
    bench.push(0, ms(time + 66), ms(time + 66));
    EXPECT_NE(bench.push_pop(1, ms(time + 66)), "nothing");
  }
}

TEST(Synchroniser, TimesBeginAnewOnceAllSensorsAreForgotten) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(99), ms(99));
  EXPECT_EQ(bench.push_pop(1, ms(99)), "99 99");
  bench.sync.forget(0);
  bench.push(0, ms(33), ms(100));
  EXPECT_EQ(bench.drops(), "late 0@33");
  bench.sync.forget(0);
  bench.sync.forget(1);
  bench.push(0, ms(33), ms(101));
  EXPECT_EQ(bench.push_pop(1, ms(33)), "33 33");
}

TEST(Synchroniser, StalledSensorThatComesBackLateIsWaitedForAgain) {
  Bench bench(2);
  bench.start();
  for (int time : {33, 66, 99}) {
    bench.push(0, ms(time), ms(time));
    bench.pop(ms(time + 30));
  }
  EXPECT_EQ(bench.push_pop(0, ms(132)), "132 -");
  bench.push(1, ms(132), ms(133));
  EXPECT_EQ(bench.drops(), "late 1@132");
  EXPECT_EQ(bench.push_pop(0, ms(165)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(165) + kTick), "165 165000001ns");
}

TEST(Synchroniser, DeadSensorDoesNotHoldUpMoreThanOneWaitOfAllItsPendingSets) {
  Bench bench(2, {ms(10), ms(100), OnMissing::partial});
  bench.start();
  for (int time : {33, 66, 99, 130}) bench.push(0, ms(time), ms(time));
  EXPECT_EQ(bench.pop(ms(133)), "33 -");
  EXPECT_EQ(bench.pop(ms(166)), "66 -");
  EXPECT_EQ(bench.pop(ms(199)), "99 -");
  EXPECT_EQ(bench.pop(ms(199)), "130 -");  // Stalled by now.
}

TEST(Synchroniser, SensorThatReturnsGetsItsSlotBack) {
  Bench bench(3);
  bench.start();
  bench.sync.set_active(1, false, ms(10));
  for (int time : {33, 66, 99}) {
    bench.push(0, ms(time), ms(time));
    const std::string text = std::to_string(time);
    EXPECT_EQ(bench.push_pop(2, ms(time)), text + " - " + text);
  }
  bench.sync.set_active(1, true, ms(110));
  for (std::size_t sensor : {0u, 1u, 2u}) bench.push(sensor, ms(132), ms(132));
  EXPECT_EQ(bench.pop(ms(132)), "132 132 132");
}

// --- Start-up ---

TEST(Synchroniser, FramesBeforeEverySensorHasStartedAreStartUp) {
  Bench bench(2);
  EXPECT_EQ(bench.push_pop(0, ms(0)), "nothing");
  EXPECT_EQ(bench.pop(ms(30)), "nothing");
  EXPECT_EQ(bench.drops(), "start-up 0@0");
  bench.push(0, ms(33), ms(33));
  bench.push(0, ms(66), ms(66));
  bench.push(1, ms(66), ms(67));
  EXPECT_EQ(bench.pop(ms(67)), "66 66");
  EXPECT_EQ(bench.drops(), "start-up 0@33");
}

TEST(Synchroniser, FirstFrameThatMissesItsSetIsStartUp) {
  Bench bench(2);
  bench.push(0, ms(0), ms(0));
  EXPECT_EQ(bench.pop(ms(30)), "nothing");
  bench.push(1, ms(1), ms(31));
  EXPECT_EQ(bench.drops(), "start-up 0@0, start-up 1@1");
}

TEST(Synchroniser, StartUpEndsWhenItHasLastedLongEnough) {
  Bench bench(2);
  bench.push(0, ms(0), ms(0));
  bench.pop(ms(1000));
  EXPECT_EQ(bench.drops(), "start-up 0@0");
  bench.push(0, ms(1970) - kTick, ms(1970) - kTick);
  EXPECT_EQ(bench.pop(seconds(2) - kTick), "nothing");
  EXPECT_EQ(bench.drops(), "start-up 0@1969999999ns");
  bench.push(0, ms(1990), seconds(2) - kTick);
  EXPECT_EQ(bench.pop(seconds(2) - kTick), "nothing");
  EXPECT_EQ(bench.pop(seconds(2) + ms(30) - kTick), "1990 -");
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, StartUpIsOverTwoSecondsAfterTheFirstFrame) {
  Bench bench(2);
  bench.push(0, ms(0), ms(0));
  bench.pop(ms(1000));
  bench.push(0, ms(1970), ms(1970));
  EXPECT_EQ(bench.pop(seconds(2)), "1970 -");
}

TEST(Synchroniser, StartUpDoesNotWaitForInactiveSensors) {
  Bench bench(3);
  bench.sync.set_active(2, false, ms(0));
  bench.push(0, ms(0), ms(0));
  EXPECT_EQ(bench.push_pop(1, ms(1)), "0 1 -");
  EXPECT_EQ(bench.push_pop(0, ms(33)), "nothing");
  EXPECT_EQ(bench.pop(ms(63)), "33 - -");
}

TEST(Synchroniser, StartUpEndsWhenTheLastSensorToStartTurnsInactive) {
  Bench bench(3);
  bench.push(0, ms(0), ms(0));
  bench.push(1, ms(0), ms(0));
  bench.sync.set_active(2, false, ms(1));
  EXPECT_EQ(bench.pop(ms(1)), "0 0 -");
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(63)), "33 - -");
}

TEST(Synchroniser, SensorThatTurnsActiveLaterStartsNothingAnew) {
  Bench bench(2);
  bench.sync.set_active(1, false, ms(0));
  EXPECT_EQ(bench.push_pop(0, ms(0)), "0 -");
  bench.sync.set_active(1, true, ms(10));
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.push_pop(1, ms(60)), "33 -");
}

}  // namespace
}  // namespace lockstep
