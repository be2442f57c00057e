// SPDX-License-Identifier: MIT
#include "lockstep/synchroniser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanoseconds kTick{1};

Nanoseconds ms(std::int64_t count) { return milliseconds(count); }

std::string text_of(Nanoseconds time) {
  if (time % ms(1) == Nanoseconds(0)) return std::to_string(time / ms(1));
  return std::to_string(time.count()) + "ns";
}

// A synchroniser whose sets and drops read as text: "33 34 -" is a set of three sensors with the
// capture times of its frames in milliseconds, "late 1@34" a frame of sensor 1 that was late.
class Bench {
 public:
  explicit Bench(std::size_t num_sensors, SyncConfig config = {ms(10), ms(30), OnMissing::partial},
                 std::size_t max_pending = 8)
      : sync(num_sensors, config, max_pending), num_sensors_(num_sensors) {}

  // Past the start: every sensor has delivered a frame at 0.
  Bench& start() {
    for (std::size_t sensor = 0; sensor < num_sensors_; ++sensor) push(sensor, ms(0), ms(0));
    EXPECT_NE(pop(ms(0)), "nothing");
    return *this;
  }

  void push(std::size_t sensor, Nanoseconds captured, Nanoseconds now) {
    frames_.push_back(captured);
    sync.push({sensor, captured, frames_.size() - 1}, now);
  }

  std::string pop(Nanoseconds now) {
    const auto set = sync.pop(now);
    if (!set) return "nothing";
    std::string text;
    for (const auto& token : set->tokens)
      text += (text.empty() ? "" : " ") + (token ? text_of(frames_.at(*token)) : "-");
    return text;
  }

  // Pushes a frame the moment it is captured, then pops once.
  std::string push_pop(std::size_t sensor, Nanoseconds captured) {
    push(sensor, captured, captured);
    return pop(captured);
  }

  std::string drops() {
    std::string text;
    for (const auto& drop : sync.take_drops())
      text += (text.empty() ? "" : ", ") + std::string(to_string(drop.reason)) + " " +
              std::to_string(drop.sensor) + "@" + text_of(frames_.at(drop.token));
    return text;
  }

  Synchroniser sync;

 private:
  std::size_t num_sensors_;
  std::vector<Nanoseconds> frames_;  // Capture time by token.
};

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
  bench.push(0, ms(1000), ms(1000));
  EXPECT_EQ(bench.pop(seconds(2) - kTick), "nothing");
  EXPECT_EQ(bench.drops(), "start-up 0@0, start-up 0@1000");
  bench.push(0, ms(1990), seconds(2));
  EXPECT_EQ(bench.pop(ms(2030)), "1990 -");
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, StartUpDoesNotWaitForInactiveSensors) {
  Bench bench(3);
  bench.sync.set_active(2, false, ms(0));
  bench.push(0, ms(0), ms(0));
  EXPECT_EQ(bench.push_pop(1, ms(1)), "0 1 -");
  EXPECT_EQ(bench.push_pop(0, ms(33)), "nothing");
  EXPECT_EQ(bench.pop(ms(63)), "33 - -");
}

TEST(Synchroniser, SensorThatTurnsActiveLaterStartsNothingAnew) {
  Bench bench(2);
  bench.sync.set_active(1, false, ms(0));
  EXPECT_EQ(bench.push_pop(0, ms(0)), "0 -");
  bench.sync.set_active(1, true, ms(10));
  bench.push(0, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(63)), "33 -");
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

// --- Wrong capture times ---

TEST(Synchroniser, SameTimeTwiceIsADuplicate) {
  Bench bench(2);
  bench.push(0, ms(0), ms(0));
  bench.push(0, ms(0), ms(1));
  EXPECT_EQ(bench.drops(), "duplicate 0@0");
  EXPECT_EQ(bench.push_pop(1, ms(2)), "0 2");
  bench.push(0, ms(0), ms(3));
  EXPECT_EQ(bench.drops(), "duplicate 0@0");
}

TEST(Synchroniser, TimeThatFallsIsBackward) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(33), ms(33));
  bench.push(0, ms(33) - kTick, ms(34));
  EXPECT_EQ(bench.drops(), "backward 0@32999999ns");
  EXPECT_EQ(bench.push_pop(1, ms(35)), "33 35");
}

TEST(Synchroniser, TimeFurtherThanTenSecondsFromNowIsAbsurd) {
  Bench bench(1);
  const Nanoseconds now = seconds(100);
  bench.push(0, now - seconds(10) - kTick, now);
  bench.push(0, now + seconds(10) + kTick, now);
  bench.push(0, Nanoseconds::min(), now);
  bench.push(0, Nanoseconds::max(), now);
  EXPECT_EQ(bench.sync.take_drops().size(), 4u);
  bench.push(0, now - seconds(10), now);
  EXPECT_EQ(bench.pop(now), "90000");
  bench.push(0, now + seconds(10), now);
  EXPECT_EQ(bench.pop(now), "110000");
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, WrongTimesOfOneSensorDoNotDisturbTheOthers) {
  for (int wrong : {-20'000, -500, 0, 500, 20'000}) {
    Bench bench(3);
    bench.start();
    bench.push(0, ms(33), ms(33));
    bench.push(1, ms(33), ms(33));
    EXPECT_EQ(bench.push_pop(2, ms(33)), "33 33 33");
    bench.push(0, ms(66), ms(66));
    bench.push(2, ms(66 + wrong), ms(66));
    EXPECT_EQ(bench.push_pop(1, ms(66)), wrong == 0     ? "66 66 66"
                                         : wrong == 500 ? "66 66 -"
                                                        : "nothing");
    for (int time : {132, 165, 198, 231, 264}) {
      bench.push(0, ms(time), ms(time));
      bench.push(1, ms(time), ms(time));
      bench.push(2, ms(time), ms(time));
      std::string last;
      for (std::string set = bench.pop(ms(time)); set != "nothing"; set = bench.pop(ms(time)))
        last = set;
      const std::string text = std::to_string(time);
      EXPECT_EQ(last.substr(0, 7), text + " " + text) << wrong;
    }
  }
}

TEST(Synchroniser, SensorWhoseClockWasSetBackIsBelievedWithItsThirdFrame) {
  Bench bench(1);
  EXPECT_EQ(bench.push_pop(0, ms(5000)), "5000");
  bench.push(0, ms(1000), ms(5033));
  bench.push(0, ms(1033), ms(5066));
  EXPECT_EQ(bench.pop(ms(5066)), "nothing");
  EXPECT_EQ(bench.drops(), "backward 0@1000, backward 0@1033");
  bench.push(0, ms(1066), ms(5100));
  EXPECT_EQ(bench.pop(ms(5100)), "1066");
  bench.push(0, ms(1100), ms(5133));
  EXPECT_EQ(bench.pop(ms(5133)), "1100");
}

TEST(Synchroniser, BackwardFramesThatDoNotRiseAreNotBelieved) {
  Bench bench(1);
  EXPECT_EQ(bench.push_pop(0, ms(5000)), "5000");
  for (int time : {1000, 900, 1000, 800, 1000, 700}) {
    bench.push(0, ms(time), ms(5033));
    EXPECT_EQ(bench.drops(), "backward 0@" + std::to_string(time));
  }
  bench.push(0, ms(700), ms(5040));
  EXPECT_EQ(bench.drops(), "duplicate 0@700");
}

TEST(Synchroniser, GoodFrameInBetweenEndsTheDoubtAboutTheOthers) {
  Bench bench(1);
  EXPECT_EQ(bench.push_pop(0, ms(5000)), "5000");
  bench.push(0, ms(4001), ms(5001));
  bench.push(0, ms(4002), ms(5002));
  EXPECT_EQ(bench.push_pop(0, ms(5003)), "5003");
  bench.push(0, ms(4004), ms(5004));
  EXPECT_EQ(bench.drops(), "backward 0@4001, backward 0@4002, backward 0@4004");
}

TEST(Synchroniser, AllClocksSetBackStartANewOrder) {
  Bench bench(2);
  for (std::size_t sensor : {0u, 1u}) bench.push(sensor, ms(5000), ms(5000));
  EXPECT_EQ(bench.pop(ms(5000)), "5000 5000");
  std::string sets;
  for (int k = 0; k < 5; ++k) {
    const Nanoseconds now = ms(5033 + 33 * k);
    for (std::size_t sensor : {0u, 1u}) {
      bench.push(sensor, ms(1000 + 33 * k), now);
      if (const std::string set = bench.pop(now); set != "nothing") sets += "[" + set + "]";
    }
  }
  EXPECT_EQ(sets, "[1099 1099][1132 1132]");
}

TEST(Synchroniser, OneClockSetBackLeavesTheOthersInOrder) {
  Bench bench(2);
  bench.start();
  std::string sets;
  for (int k = 1; k < 8; ++k) {
    const Nanoseconds now = ms(5000 + 33 * k);
    bench.push(1, ms(33 * k), now);  // As if it had been set back by five seconds.
    bench.push(0, now, now);
    for (std::string set = bench.pop(now); set != "nothing"; set = bench.pop(now))
      if (set.substr(0, 1) != "-") sets += "[" + set + "]";
  }
  EXPECT_EQ(sets.substr(0, 18), "[5033 -][5066 -][5");
}

TEST(Synchroniser, OneTimeFarAheadCostsTwoMoreFramesAndNoOthers) {
  Bench bench(2);
  bench.start();
  bench.push(1, ms(9000), ms(33));
  EXPECT_EQ(bench.push_pop(0, ms(33)), "33 -");
  for (int time : {66, 99}) {
    bench.push(1, ms(time), ms(time));
    EXPECT_EQ(bench.push_pop(0, ms(time)), std::to_string(time) + " -");
  }
  EXPECT_EQ(bench.drops(), "backward 1@66, backward 1@99");
  bench.push(1, ms(132), ms(132));
  EXPECT_EQ(bench.drops(), "absurd 1@9000");
  EXPECT_EQ(bench.push_pop(0, ms(132)), "132 132");
}

TEST(Synchroniser, OneTimeFarAheadOfALonelySensorIsOvercomeToo) {
  Bench bench(1);
  EXPECT_EQ(bench.push_pop(0, ms(0)), "0");
  bench.push(0, ms(9000), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "9000");
  EXPECT_EQ(bench.push_pop(0, ms(66)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(99)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(132)), "132");
  EXPECT_EQ(bench.push_pop(0, ms(165)), "165");
}

TEST(Synchroniser, TimesAheadOfNowMayBeComplete) {
  Bench bench(2);
  bench.push(0, ms(40), ms(33));
  bench.push(1, ms(41), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "40 41");
}

TEST(Synchroniser, FrameAheadOfNowWaitsAsIfItCameInWhenCaptured) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(40), ms(33));
  EXPECT_EQ(bench.sync.deadline(), ms(70));
  EXPECT_EQ(bench.pop(ms(70) - kTick), "nothing");
  EXPECT_EQ(bench.pop(ms(70)), "40 -");
}

TEST(Synchroniser, IncompleteSetAheadOfNowDoesNotLeaveBeforeItsTime) {
  Bench bench(2);
  bench.start();
  bench.sync.set_active(1, false, ms(1));
  bench.push(0, ms(900), ms(33));
  EXPECT_EQ(bench.sync.deadline(), ms(900));
  EXPECT_EQ(bench.pop(ms(900) - kTick), "nothing");
  EXPECT_EQ(bench.pop(ms(900)), "900 -");
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

TEST(Synchroniser, OldestSetLeavesEarlyWhenTooManyFramesWait) {
  Bench bench(2, {ms(10), seconds(1), OnMissing::partial}, 2);
  bench.start();
  EXPECT_EQ(bench.push_pop(0, ms(33)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(66)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(99)), "33 -");
  EXPECT_EQ(bench.pop(ms(99)), "nothing");
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, SetThatMustLeaveEarlyIsOverflowWhereIncompleteSetsAreDropped) {
  Bench bench(2, {ms(10), seconds(1), OnMissing::drop}, 1);
  bench.start();
  EXPECT_EQ(bench.push_pop(0, ms(33)), "nothing");
  EXPECT_EQ(bench.push_pop(0, ms(66)), "nothing");
  EXPECT_EQ(bench.drops(), "overflow 0@33");
}

TEST(Synchroniser, FramesAheadOfNowThatAreTooManyAreOverflow) {
  Bench bench(2, {ms(10), ms(30), OnMissing::partial}, 2);
  bench.start();
  for (int time : {500, 533, 566}) bench.push(1, ms(time), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "nothing");
  EXPECT_EQ(bench.drops(), "overflow 1@566");
  EXPECT_EQ(bench.push_pop(0, ms(500)), "500 500");
}

TEST(Synchroniser, RoomForNoPendingFrameCountsAsOne) {
  Bench bench(2, {ms(10), ms(30), OnMissing::partial}, 0);
  bench.push(0, ms(0), ms(0));
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
  Bench bench(2);
  bench.start();
  bench.sync.set_config({ms(-1), ms(-1), OnMissing::partial});
  bench.push(0, ms(33), ms(33));
  bench.push(1, ms(33), ms(33));
  EXPECT_EQ(bench.pop(ms(33)), "33 33");
  EXPECT_EQ(bench.push_pop(0, ms(66)), "66 -");
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

TEST(Synchroniser, DropsAreToldOnce) {
  Bench bench(1);
  bench.push(0, ms(0), ms(0));
  bench.push(0, ms(0), ms(0));
  EXPECT_EQ(bench.sync.take_drops().size(), 1u);
  EXPECT_TRUE(bench.sync.take_drops().empty());
}

// --- Streams ---

TEST(Synchroniser, HalfTheRateIsInEveryOtherSet) {
  Bench bench(2, {ms(16), ms(33), OnMissing::partial});
  bench.start();
  std::string sets;
  for (int k = 1; k <= 6; ++k) {
    const Nanoseconds now = ms(33 * k);
    if (k % 2 == 0) bench.push(1, now, now);
    bench.push(0, now, now);
    for (std::string set = bench.pop(now); set != "nothing"; set = bench.pop(now))
      sets += "[" + set + "]";
  }
  EXPECT_EQ(sets, "[33 -][66 66][99 -][132 132][165 -][198 198]");
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, JitterUpToTheToleranceBreaksNoSet) {
  Bench bench(2, {Nanoseconds(16'666'666), ms(33), OnMissing::partial});
  for (int k = 0; k < 100; ++k) {
    const Nanoseconds time = Nanoseconds(33'333'333) * k;
    // The spread is the whole tolerance, this way and that.
    const Nanoseconds early = time + Nanoseconds(k % 2 == 0 ? 0 : 16'666'666);
    const Nanoseconds late = time + Nanoseconds(k % 2 == 0 ? 16'666'666 : 0);
    bench.push(0, early, time + ms(20));
    bench.push(1, late, time + ms(20));
    EXPECT_EQ(bench.pop(time + ms(20)), text_of(early) + " " + text_of(late));
  }
  EXPECT_EQ(bench.drops(), "");
}

TEST(Synchroniser, DriftSlipsByOneFrameAndMatchesAgain) {
  // Sensor 1 runs 2 % fast: after 50 frames it is one ahead. Every frame of both must be used,
  // and the sets must be right again within a few.
  Bench bench(2, {ms(8), ms(16), OnMissing::partial});
  std::vector<std::pair<Nanoseconds, std::size_t>> frames;
  for (int k = 0; k < 200; ++k) {
    frames.emplace_back(Nanoseconds(33'333'333) * k, 0);
    frames.emplace_back(Nanoseconds(32'666'666) * k, 1);
  }
  std::sort(frames.begin(), frames.end());
  std::size_t used = 0;
  std::size_t complete = 0;
  for (const auto& [time, sensor] : frames) {
    for (auto due = bench.sync.deadline(); due && *due <= time; due = bench.sync.deadline())
      if (const auto set = bench.sync.pop(*due)) used += set->num_frames;
    bench.push(sensor, time, time);
    while (const auto set = bench.sync.pop(time)) {
      used += set->num_frames;
      complete += set->num_frames == 2;
      EXPECT_LE(set->skew, ms(8));
    }
  }
  while (const auto set = bench.sync.pop(seconds(60))) used += set->num_frames;
  EXPECT_EQ(used, frames.size());
  EXPECT_EQ(bench.drops(), "");
  EXPECT_GT(complete, 80u);  // Within 8 of 33 ms either way: about half of the time.
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

}  // namespace
}  // namespace lockstep
