// SPDX-License-Identifier: MIT
#include "sensor/sim/timing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lockstep {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kPeriodNs = 1e9 / 30;

SimTimeline timeline(const SimTiming& timing, std::uint64_t seed = 1,
                     Nanoseconds origin = Nanoseconds(0)) {
  return SimTimeline(timing, seed, kPeriodNs, origin);
}

std::vector<SimTrigger> triggers(SimTimeline timeline, std::size_t count) {
  std::vector<SimTrigger> all;
  for (; all.size() < count; timeline.advance(kPeriodNs)) all.push_back(timeline.next());
  return all;
}

Nanoseconds nominal(std::size_t k) {
  return Nanoseconds(std::llround(static_cast<double>(k) * kPeriodNs));
}

// How many of the first `count` have it.
template <typename Has>
double share(const SimTiming& timing, Has has, std::size_t count = 100'000) {
  double found = 0;
  for (const SimTrigger& trigger : triggers(timeline(timing), count)) found += has(trigger) ? 1 : 0;
  return found / static_cast<double>(count);
}

TEST(SimTimeline, TriggersComeAtTheFrameRateWithoutRoundingAddingUp) {
  const auto all = triggers(timeline({}), 100'000);
  for (std::size_t k = 0; k < all.size(); ++k) {
    ASSERT_EQ(all[k].sequence, k);
    ASSERT_EQ(all[k].exposed, nominal(k));
    ASSERT_EQ(all[k].reported, nominal(k));
    ASSERT_FALSE(all[k].lost || all[k].corrupt);
  }
}

TEST(SimTimeline, DriftAddsUp) {
  SimTiming timing;
  timing.drift_ppm = 100;
  EXPECT_EQ(triggers(timeline(timing), 30 * 60 + 1).back().exposed, seconds(60) + milliseconds(6));
  timing.drift_ppm = -100;
  EXPECT_EQ(triggers(timeline(timing), 30 * 60 + 1).back().exposed, seconds(60) - milliseconds(6));
}

TEST(SimTimeline, JitterMakesExposuresLateByAtMostThat) {
  SimTiming timing;
  timing.jitter = microseconds(300);
  Nanoseconds latest{0};
  const auto all = triggers(timeline(timing), 1000);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const Nanoseconds late = all[k].exposed - nominal(k);
    EXPECT_GE(late, Nanoseconds(0));
    EXPECT_LE(late, timing.jitter);
    EXPECT_EQ(all[k].reported, all[k].exposed);
    latest = std::max(latest, late);
  }
  EXPECT_GT(latest, microseconds(290));
}

TEST(SimTimeline, JitterNeverLetsExposuresPassEachOther) {
  SimTiming timing;
  timing.jitter = seconds(1);
  Nanoseconds last{-1};
  for (const SimTrigger& trigger : triggers(timeline(timing), 1000)) {
    EXPECT_GT(trigger.exposed, last);
    last = trigger.exposed;
  }
}

TEST(SimTimeline, StampNoiseMovesTheReportAndNotTheExposure) {
  SimTiming timing;
  timing.stamp_noise = microseconds(50);
  Nanoseconds least{0};
  Nanoseconds most{0};
  for (const SimTrigger& trigger : triggers(timeline(timing), 1000)) {
    EXPECT_EQ(trigger.exposed, nominal(trigger.sequence));
    least = std::min(least, trigger.reported - trigger.exposed);
    most = std::max(most, trigger.reported - trigger.exposed);
  }
  EXPECT_GE(least, -timing.stamp_noise);
  EXPECT_LE(most, timing.stamp_noise);
  EXPECT_GT(most - least, microseconds(95));
}

TEST(SimTimeline, FramesAreLostAndDamagedAsOftenAsAskedFor) {
  SimTiming timing;
  timing.drop = 0.1;
  timing.corrupt = 0.03;
  EXPECT_NEAR(share(timing, [](const auto& trigger) { return trigger.lost; }), 0.1, 0.004);
  EXPECT_NEAR(share(timing, [](const auto& trigger) { return trigger.corrupt; }), 0.03, 0.002);
}

TEST(SimTimeline, DuplicatesReportTheTimeOfTheFrameBefore) {
  SimTiming timing;
  timing.duplicate = 0.2;
  const auto all = triggers(timeline(timing), 10'000);
  double duplicates = 0;
  for (std::size_t k = 1; k < all.size(); ++k) {
    if (all[k].reported == all[k].exposed) continue;
    EXPECT_EQ(all[k].reported, all[k - 1].reported);
    ++duplicates;
  }
  EXPECT_NEAR(duplicates / 10'000, 0.2, 0.015);
}

TEST(SimTimeline, AStallLosesTheFramesInIt) {
  SimTiming timing;
  timing.stall = {milliseconds(100), milliseconds(200)};
  const Nanoseconds origin = seconds(5000);
  for (const SimTrigger& trigger : triggers(timeline(timing, 1, origin), 10))
    EXPECT_EQ(trigger.lost, trigger.sequence >= 3 && trigger.sequence < 6) << trigger.sequence;
}

TEST(SimTimeline, FateIsDecidedBySeedAndSequenceAlone) {
  SimTiming timing;
  timing.jitter = milliseconds(1);
  timing.drop = 0.5;
  const auto one = triggers(timeline(timing, 7), 100);
  const auto same = triggers(timeline(timing, 7), 100);
  const auto other = triggers(timeline(timing, 8), 100);
  SimTimeline skipped = timeline(timing, 7);
  skipped.skip_to(one[60].exposed, kPeriodNs);
  EXPECT_EQ(skipped.next().exposed, one[60].exposed);
  EXPECT_EQ(skipped.next().lost, one[60].lost);
  int differences = 0;
  for (std::size_t k = 0; k < one.size(); ++k) {
    EXPECT_EQ(one[k].exposed, same[k].exposed);
    EXPECT_EQ(one[k].lost, same[k].lost);
    differences += one[k].exposed != other[k].exposed ? 1 : 0;
  }
  EXPECT_GT(differences, 90);
}

TEST(SimTimeline, AnotherPeriodHoldsFromTheNextTriggerOn) {
  SimTimeline timeline(SimTiming{}, 1, 1e6, Nanoseconds(0));
  timeline.advance(1e6);
  timeline.advance(5e6);
  EXPECT_EQ(timeline.next().exposed, milliseconds(6));
  timeline.advance(5e6);
  EXPECT_EQ(timeline.next().exposed, milliseconds(11));
  EXPECT_EQ(timeline.next().sequence, 3u);
}

TEST(SimTimeline, UnpluggingIsCountedFromTheStartOfTheStream) {
  SimTiming timing;
  timing.unplugged = {milliseconds(40), milliseconds(50)};
  EXPECT_EQ(timeline(timing, 1, seconds(9)).unplugged_at(), seconds(9) + milliseconds(40));
  EXPECT_EQ(timeline(timing, 1, seconds(9)).plugged_at(), seconds(9) + milliseconds(50));
  timing.unplugged.end = Nanoseconds::max();
  EXPECT_EQ(timeline(timing, 1, seconds(9)).plugged_at(), Nanoseconds::max());
}

TEST(FirstCommonTrigger, IsTheSameWheneverSensorsStart) {
  for (const Fraction rate : {Fraction{30, 1}, Fraction{30000, 1001}, Fraction{240, 1}}) {
    const Nanoseconds start = hours(24 * 365) + Nanoseconds(123'456'789);
    const Nanoseconds first = first_common_trigger(start, rate, {});
    EXPECT_GT(first, start);
    EXPECT_LE(first - start, Nanoseconds(std::llround(period_of(rate))));
    const Nanoseconds later = first_common_trigger(start + milliseconds(700), rate, {});
    const double periods = static_cast<double>((later - first).count()) / period_of(rate);
    EXPECT_NEAR(periods, std::round(periods), 1e-6);
  }
}

TEST(FirstCommonTrigger, PhaseMovesIt) {
  const Nanoseconds start = seconds(1000) - milliseconds(5);
  EXPECT_EQ(first_common_trigger(start, {30, 1}, {}), seconds(1000));
  EXPECT_EQ(first_common_trigger(start, {30, 1}, milliseconds(3)), seconds(1000) + milliseconds(3));
}

}  // namespace
}  // namespace lockstep
