// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lockstep/synchroniser.h"
#include "synchroniser_bench.h"

namespace lockstep {
namespace {

using std::chrono::seconds;
using Bench = SynchroniserBench;

// --- Sets ---

TEST(Synchroniser, SetLeavesAsSoonAsItsLastFrameIsPushed) {
  Bench bench(3);
  EXPECT_EQ(bench.push_pop(0, ms(100)), "nothing");
  EXPECT_EQ(bench.push_pop(2, ms(101)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(102)), "100 102 101");
  EXPECT_EQ(bench.pop(ms(102)), "nothing");
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, SetTellsItsEarliestTimeItsSkewAndItsNumberOfFrames) {
  Bench bench(3);
  bench.start();
  bench.push(2, ms(35), ms(35));
  bench.push(0, ms(33), ms(36));
  const auto set = bench.sync.pop(ms(63) + ms(2));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->captured, ms(33));
  EXPECT_EQ(set->skew, ms(2));
  EXPECT_EQ(set->num_frames, 2u);
  EXPECT_EQ(set->tokens.size(), 3u);
}

TEST(Synchroniser, ArrivalOrderMakesNoDifference) {
  std::vector<std::size_t> order = {0, 1, 2, 3};
  do {
    Bench bench(4);
    for (std::size_t sensor : order)
      bench.push(sensor, ms(100 + static_cast<int>(sensor)), ms(110));
    EXPECT_EQ(bench.pop(ms(110)), "100 101 102 103");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Synchroniser, BurstsOfOneSensorAfterAnotherGiveEverySet) {
  Bench bench(3, {ms(10), ms(200), OnMissing::partial}, 2);
  for (std::size_t sensor : {2u, 0u, 1u})
    for (int k = 0; k < 6; ++k) bench.push(sensor, ms(33 * k), ms(200));
  for (int k = 0; k < 6; ++k) {
    const std::string time = std::to_string(33 * k);
    EXPECT_EQ(bench.pop(ms(200)), time + " " + time + " " + time);
  }
  EXPECT_EQ(bench.pop(ms(200)), "nothing");
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, FramesApartByTheToleranceAreOneSet) {
  Bench bench(2);
  bench.push(0, ms(100), ms(100));
  bench.push(1, ms(110), ms(110));
  EXPECT_EQ(bench.pop(ms(110)), "100 110");
}

TEST(Synchroniser, FramesApartByMoreThanTheToleranceAreTwoSets) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(100), ms(100));
  bench.push(1, ms(110) + kTick, ms(111));
  EXPECT_EQ(bench.pop(ms(111)), "100 -");
  EXPECT_EQ(bench.pop(ms(111)), "nothing");
  EXPECT_EQ(bench.pop(ms(111) + ms(30)), "- 110000001ns");
}

TEST(Synchroniser, ToleranceZeroWantsEqualTimes) {
  Bench bench(2, {ms(0), ms(30), OnMissing::partial});
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.push(1, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "33 33");
  bench.push(0, ms(66), ms(66));
  bench.push(1, ms(66) + kTick, ms(67));
  EXPECT_EQ(bench.pop(ms(67)), "66 -");
}

TEST(Synchroniser, OneSensorNeedsNoPartner) {
  Bench bench(1);
  for (int k = 0; k < 5; ++k) EXPECT_EQ(bench.push_pop(0, ms(33 * k)), std::to_string(33 * k));
}

TEST(Synchroniser, SixtyFourSensorsMakeOneSet) {
  Bench bench(64);
  for (std::size_t sensor = 63; sensor > 0; --sensor)
    EXPECT_EQ(bench.push_pop(sensor, ms(5)), "nothing");
  bench.push(0, ms(5), ms(6));
  const auto set = bench.sync.pop(ms(6));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->num_frames, 64u);
}

TEST(Synchroniser, SetsLeaveInOrderOfCaptureTime) {
  Bench bench(2);
  bench.start();
  bench.push(1, ms(66), ms(66));  // Sensor 1 lost its frame at 33.
  bench.push(0, ms(33), ms(67));
  bench.push(0, ms(66), ms(67));
  EXPECT_EQ(bench.pop(ms(67)), "33 -");
  EXPECT_EQ(bench.pop(ms(67)), "66 66");
}

// --- Waiting ---

TEST(Synchroniser, IncompleteSetLeavesWhenMaxWaitHasPassedAndNotBefore) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(40));
  EXPECT_EQ(bench.sync.deadline(), ms(70));
  EXPECT_EQ(bench.pop(ms(70) - kTick), "nothing");
  EXPECT_EQ(bench.pop(ms(70)), "33 -");
}

TEST(Synchroniser, WaitCountsFromTheFirstFrameOfTheSet) {
  Bench bench(3);
  bench.start();
  bench.push(0, ms(33), ms(40));
  bench.push(1, ms(33), ms(60));
  EXPECT_EQ(bench.sync.deadline(), ms(70));
  EXPECT_EQ(bench.pop(ms(70)), "33 33 -");
}

TEST(Synchroniser, NoFrameWaitsLongerForTheSakeOfAnEarlierOne) {
  Bench bench(3);
  bench.start();
  bench.push(1, ms(66), ms(70));
  bench.push(0, ms(33), ms(90));  // Came very late; sensor 2 is missing in both sets.
  EXPECT_EQ(bench.sync.deadline(), ms(100));
  EXPECT_EQ(bench.pop(ms(100)), "33 - -");
  EXPECT_EQ(bench.pop(ms(100)), "- 66 -");
}

TEST(Synchroniser, MaxWaitZeroWaitsForNobody) {
  Bench bench(2, {ms(10), ms(0), OnMissing::partial});
  bench.start();
  EXPECT_EQ(bench.push_pop(0, ms(33)), "33 -");
}

TEST(Synchroniser, MaxWaitWithoutEndNeverRunsOut) {
  Bench bench(2, {ms(10), Nanoseconds::max(), OnMissing::partial});
  bench.start();
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.sync.deadline(), Nanoseconds::max());
  EXPECT_EQ(bench.pop(seconds(100'000)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(66)), "nothing");  // Far behind `now`: absurd.
  EXPECT_EQ(bench.drops(), "absurd 1@66");
}

TEST(Synchroniser, IncompleteSetLeavesOnceTheMissingSensorDeliversALaterFrame) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(34));
  EXPECT_EQ(bench.pop(ms(40)), "nothing");
  bench.push(1, ms(44), ms(45));
  EXPECT_EQ(bench.pop(ms(45)), "33 -");
}

TEST(Synchroniser, IncompleteSetLeavesOnceTheMissingSensorIsInactive) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(34));
  EXPECT_EQ(bench.pop(ms(40)), "nothing");
  bench.sync.set_active(1, false, ms(41));
  EXPECT_LE(bench.sync.deadline(), ms(41));
  EXPECT_EQ(bench.pop(ms(41)), "33 -");
  EXPECT_EQ(bench.push_pop(0, ms(66)), "66 -");
}

TEST(Synchroniser, FramesOfAnInactiveSensorStayAndAreUsed) {
  Bench bench(3);
  bench.start();
  bench.push(1, ms(33), ms(33));
  bench.sync.set_active(1, false, ms(34));
  bench.push(2, ms(34), ms(34));
  EXPECT_EQ(bench.push_pop(0, ms(35)), "35 33 34");
}

TEST(Synchroniser, SensorThatIsActiveAgainIsWaitedFor) {
  Bench bench(2);
  bench.start();
  bench.sync.set_active(1, false, ms(20));
  EXPECT_EQ(bench.push_pop(0, ms(33)), "33 -");
  bench.sync.set_active(1, true, ms(40));
  EXPECT_EQ(bench.push_pop(0, ms(66)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(67)), "66 67");
}

TEST(Synchroniser, NobodyIsWaitedForWhenAllAreInactive) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.sync.set_active(0, false, ms(34));
  bench.sync.set_active(1, false, ms(34));
  EXPECT_EQ(bench.pop(ms(34)), "33 -");
}

TEST(Synchroniser, NothingPendingHasNoDeadline) {
  Bench bench(2);
  EXPECT_EQ(bench.sync.deadline(), std::nullopt);
  bench.start();
  EXPECT_EQ(bench.sync.deadline(), std::nullopt);
}

TEST(Synchroniser, WhatIsDueHasADeadlineThatHasPassed) {
  Bench bench(2);
  bench.push(0, ms(33), ms(40));
  bench.push(1, ms(33), ms(41));
  EXPECT_LE(bench.sync.deadline(), ms(41));
}

// --- Late ---

TEST(Synchroniser, FrameOfASetThatHasLeftIsLate) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(63)), "33 -");
  bench.push(1, ms(33), ms(64));
  bench.push(1, ms(43), ms(64));
  EXPECT_EQ(bench.drops(), "late 1@33, late 1@43");
  bench.push(1, ms(43) + kTick, ms(64));
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, FrameBeforeTheSetThatLeftLastIsLate) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(63)), "33 -");
  bench.push(1, ms(30), ms(64));
  EXPECT_EQ(bench.drops(), "late 1@30");
}

TEST(Synchroniser, NextFrameOfASensorThatWasInTheSetIsNotLate) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(63)), "33 -");
  bench.push(0, ms(38), ms(64));
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, ToleranceBeyondTheFramePeriodDoesNotPutASensorOutOfStepForEver) {
  Bench bench(2, {ms(100), ms(30), OnMissing::partial});
  int time = 0;
  const auto both = [&] {
    bench.push(0, ms(time), ms(time));
    const std::string set = bench.push_pop(1, ms(time));
    const std::string wanted = std::to_string(time) + " " + std::to_string(time);
    time += 33;
    return set == wanted;
  };
  for (int k = 0; k < 10; ++k) EXPECT_TRUE(both());
  // Sensor 1 loses a frame; its next one must not take the place of that.
  bench.push(0, ms(time), ms(time));
  bench.push(1, ms(time + 33), ms(time + 33));
  EXPECT_EQ(bench.pop(ms(time + 33)), std::to_string(time) + " -");
  bench.push(0, ms(time + 33), ms(time + 33));
  EXPECT_NE(bench.pop(ms(time + 33)), "nothing");
  time += 66;
  EXPECT_TRUE(both());
  // Now the set has left without it; what follows must not be late.
  bench.push(0, ms(time), ms(time));
  EXPECT_EQ(bench.pop(ms(time + 30)), std::to_string(time) + " -");
  time += 33;
  EXPECT_TRUE(both());
  EXPECT_EQ(bench.drops(), "");
}

// A sensor of 30 frames per second and one of 15, with a tolerance beyond the period of either.
class UnequalRates : public testing::Test {
 protected:
  UnequalRates() : bench(2, {ms(100), ms(100), OnMissing::partial}) {
    for (; time < 660; time += 66) {
      bench.push(0, ms(time), ms(time));
      bench.push(1, ms(time), ms(time));
      bench.push(0, ms(time + 33), ms(time + 33));
      while (bench.pop(ms(time + 33)) != "nothing") continue;
    }
    bench.push(0, ms(660), ms(660));
    bench.push(1, ms(660), ms(660));
    EXPECT_EQ(bench.pop(ms(660)), "627 -");
    EXPECT_EQ(bench.pop(ms(660)), "660 660");
  }

  Bench bench;
  int time = 0;
};

TEST_F(UnequalRates, SlowSensorIsNotTakenForTheFrameBefore) {
  bench.push(0, ms(693), ms(693));
  EXPECT_EQ(bench.push_pop(1, ms(726)), "693 -");
}

TEST_F(UnequalRates, FastSensorIsNotTakenForItsLostFrame) {
  bench.push(0, ms(693), ms(693));
  bench.push(1, ms(726), ms(726));
  EXPECT_EQ(bench.pop(ms(726)), "693 -");
  EXPECT_EQ(bench.push_pop(0, ms(759)), "- 726");
}

// --- What becomes of incomplete sets ---

TEST(Synchroniser, DropMakesIncompleteSetsUnmatched) {
  Bench bench(3, {ms(10), ms(30), OnMissing::drop});
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.push(2, ms(34), ms(34));
  EXPECT_EQ(bench.pop(ms(63)), "nothing");
  EXPECT_EQ(bench.drops(), "unmatched 0@33, unmatched 2@34");
  EXPECT_EQ(bench.sync.deadline(), std::nullopt);
}

TEST(Synchroniser, DropGoesOnToTheNextSetInTheSamePop) {
  Bench bench(2, {ms(10), ms(30), OnMissing::drop});
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.push(0, ms(66), ms(66));
  bench.push(1, ms(66), ms(66));
  EXPECT_EQ(bench.pop(ms(66)), "66 66");
  EXPECT_EQ(bench.drops(), "unmatched 0@33");
}

TEST(Synchroniser, DropWantsFramesOfInactiveSensorsToo) {
  Bench bench(2, {ms(10), ms(30), OnMissing::drop});
  bench.start();
  bench.sync.set_active(1, false, ms(1));
  EXPECT_EQ(bench.push_pop(0, ms(33)), "nothing");
  EXPECT_EQ(bench.drops(), "unmatched 0@33");
}

TEST(Synchroniser, RepeatLeavesTheSlotEmptyForTheCallerToFill) {
  Bench bench(2, {ms(10), ms(30), OnMissing::repeat});
  bench.start();
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(63)), "33 -");
}

// --- Too many frames ---

TEST(Synchroniser, NewestFramesAreOverflowWhenTooManyWait) {
  Bench bench(2, {ms(10), seconds(1), OnMissing::partial}, 2);
  bench.start();
  for (int time : {33, 66, 99}) EXPECT_EQ(bench.push_pop(0, ms(time)), "nothing");
  EXPECT_EQ(bench.drops(), "overflow 0@99");
  EXPECT_EQ(bench.push_pop(1, ms(99)), "33 -");
  EXPECT_EQ(bench.pop(ms(99)), "66 -");
  EXPECT_EQ(bench.push_pop(0, ms(105)), "105 99");
}

TEST(Synchroniser, FramesAheadOfNowOverflowToo) {
  Bench bench(2, {ms(10), ms(30), OnMissing::partial}, 2);
  bench.start();
  for (int time : {500, 533, 566}) bench.push(1, ms(time), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "nothing");
  EXPECT_EQ(bench.drops(), "overflow 1@566");
  EXPECT_EQ(bench.push_pop(0, ms(500)), "500 500");
}

TEST(Synchroniser, RoomForNoPendingFrameCountsAsOne) {
  Bench bench(2, {ms(10), ms(30), OnMissing::partial}, 0);
  EXPECT_EQ(bench.push_pop(0, ms(0)), "nothing");
  EXPECT_EQ(bench.push_pop(1, ms(1)), "0 1");
}

// --- Changes while running ---

TEST(Synchroniser, ToleranceMayChange) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.push(1, ms(53), ms(53));
  bench.sync.set_config({ms(20), ms(30), OnMissing::partial});
  EXPECT_EQ(bench.sync.config().tolerance, ms(20));
  EXPECT_EQ(bench.pop(ms(53)), "33 53");
}

TEST(Synchroniser, WaitMayChange) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.sync.set_config({ms(10), ms(5), OnMissing::partial});
  EXPECT_EQ(bench.sync.deadline(), ms(38));
  EXPECT_EQ(bench.pop(ms(38)), "33 -");
}

TEST(Synchroniser, PolicyMayChange) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.sync.set_config({ms(10), ms(30), OnMissing::drop});
  EXPECT_EQ(bench.pop(ms(63)), "nothing");
  EXPECT_EQ(bench.drops(), "unmatched 0@33");
}

TEST(Synchroniser, DurationsBelowZeroCountAsZero) {
  constexpr SyncConfig kBelowZero{ms(-1), Nanoseconds::min(), OnMissing::partial};
  Bench changed(2);
  changed.sync.set_config(kBelowZero);
  Bench made(2, kBelowZero);
  for (Bench* bench : {&changed, &made}) {
    EXPECT_EQ(bench->sync.config().tolerance, ms(0));
    EXPECT_EQ(bench->sync.config().max_wait, ms(0));
    bench->start();
    EXPECT_EQ(bench->push_pop(0, ms(66)), "66 -");
  }
}

TEST(Synchroniser, ResetFlushesAndStartsAsNew) {
  Bench bench(2);
  bench.start();
  bench.sync.set_config({ms(5), ms(20), OnMissing::partial});
  bench.push(0, ms(33), ms(33));
  bench.sync.reset();
  EXPECT_EQ(bench.drops(), "flushed 0@33");
  EXPECT_EQ(bench.sync.deadline(), std::nullopt);
  EXPECT_EQ(bench.sync.config().tolerance, ms(5));
  EXPECT_EQ(bench.push_pop(0, ms(20)), "nothing");  // Neither backward nor late.
  EXPECT_EQ(bench.pop(ms(53)), "nothing");
  EXPECT_EQ(bench.drops(), "start-up 0@20");
}

TEST(Synchroniser, ResetKeepsWhoIsInactive) {
  Bench bench(2);
  bench.start();
  bench.sync.set_active(1, false, ms(1));
  bench.sync.reset();
  EXPECT_EQ(bench.push_pop(0, ms(33)), "33 -");
}

TEST(Synchroniser, SetsThatDoNotLeaveAreCountedUntilTaken) {
  Bench bench(2, {ms(10), ms(30), OnMissing::drop});
  bench.push(0, ms(-33), ms(-33));  // Sensor 1 has not started.
  bench.start();
  EXPECT_EQ(bench.drops(), "start-up 0@-33");
  EXPECT_EQ(bench.sync.take_dropped_sets(), 1u);
  bench.push(0, ms(33), ms(33));
  bench.push(1, ms(66), ms(66));
  bench.sync.set_pace(1, false);
  EXPECT_EQ(bench.pop(ms(96)), "nothing");
  EXPECT_EQ(bench.drops(), "unmatched 0@33, surplus 1@66");
  bench.sync.reset();
  EXPECT_EQ(bench.sync.take_dropped_sets(), 2u);
  EXPECT_EQ(bench.sync.take_dropped_sets(), 0u);
}

TEST(Synchroniser, DropsAreToldOnce) {
  Bench bench(1);
  bench.push(0, ms(0), ms(0));
  bench.push(0, ms(0), ms(0));
  EXPECT_EQ(bench.sync.take_drops().size(), 1u);
  EXPECT_TRUE(bench.sync.take_drops().empty());
}

}  // namespace
}  // namespace lockstep
