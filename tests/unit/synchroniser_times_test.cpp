// SPDX-License-Identifier: MIT
// Capture times that are wrong, and streams of many frames.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/synchroniser.h"
#include "synchroniser_bench.h"

namespace lockstep {
namespace {

using std::chrono::seconds;
using Bench = SynchroniserBench;

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

TEST(Synchroniser, OneClockSetBackDoesNotBreakTheOrderOfTheOthers) {
  Bench bench(2);
  for (std::size_t sensor : {0u, 1u}) bench.push(sensor, ms(5000), ms(5000));
  EXPECT_EQ(bench.pop(ms(5000)), "5000 5000");
  for (int time : {1000, 1033, 1066}) bench.push(1, ms(time), ms(5010));
  EXPECT_EQ(bench.pop(ms(5010)), "nothing");
  EXPECT_EQ(bench.drops(), "backward 1@1000, backward 1@1033, late 1@1066");
}

TEST(Synchroniser, SensorThatIsAwayDoesNotKeepAFormerOrder) {
  Bench bench(2);
  for (std::size_t sensor : {0u, 1u}) bench.push(sensor, ms(5000), ms(5000));
  EXPECT_EQ(bench.pop(ms(5000)), "5000 5000");
  bench.push(1, ms(9000), ms(5001));
  bench.sync.set_active(1, false, ms(5002));
  for (int time : {1000, 1033, 1066}) bench.push(0, ms(time), ms(5010));
  EXPECT_EQ(bench.pop(ms(5010)), "1066 -");
  EXPECT_EQ(bench.drops(), "backward 0@1000, backward 0@1033, absurd 1@9000");
}

TEST(Synchroniser, SensorThatHasStalledDoesNotKeepAFormerOrder) {
  Bench bench(2);
  bench.start();
  bench.push(0, ms(5030), ms(5030));
  EXPECT_EQ(bench.push_pop(1, ms(5039)), "5030 5039");
  for (int time : {5035, 5036, 5037}) bench.push(0, ms(time), ms(5100));
  for (int time : {5035, 5036, 5037}) EXPECT_EQ(bench.pop(ms(5130)), std::to_string(time) + " -");
  for (int time : {1000, 1033, 1066}) bench.push(0, ms(time), ms(5140));
  EXPECT_EQ(bench.pop(ms(5140)), "1066 -");
}

TEST(Synchroniser, FrameThatIsBelievedTakesThePlaceOfAnEqualOne) {
  Bench bench(2);
  bench.start();
  for (int time : {100, 5000, 60, 80, 100}) bench.push(0, ms(time), ms(100));
  EXPECT_EQ(bench.drops(), "backward 0@60, backward 0@80, absurd 0@5000, absurd 0@100");
  EXPECT_EQ(bench.push_pop(1, ms(101)), "100 101");
  EXPECT_EQ(bench.sync.deadline(), std::nullopt);
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

}  // namespace
}  // namespace lockstep
