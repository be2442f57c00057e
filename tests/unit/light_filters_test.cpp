// SPDX-License-Identifier: MIT
#include "core/light_filters.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep {
namespace {

BrightnessFilter filter_at(double value) {
  BrightnessFilter filter;
  for (int i = 0; i < 12; ++i) filter.add(value);
  return filter;
}

TEST(BrightnessFilter, BelievesTheFirstReading) {
  BrightnessFilter filter;
  EXPECT_FALSE(filter.value());
  filter.add(-3);
  EXPECT_EQ(*filter.value(), -3);
}

TEST(BrightnessFilter, BelievesAReadingFarOffAtOnce) {
  for (const double step : {-4.0, -1.1, 1.1, 4.0}) {
    BrightnessFilter filter = filter_at(0);
    filter.add(step);
    EXPECT_EQ(*filter.value(), step);
  }
}

TEST(BrightnessFilter, BelievesASmallerStepWhenTheNextReadingAgrees) {
  BrightnessFilter filter = filter_at(0);
  filter.add(0.5);
  EXPECT_LT(*filter.value(), 0.02);
  filter.add(0.48);
  EXPECT_NEAR(*filter.value(), 0.48, 1e-12);
}

TEST(BrightnessFilter, BelievesAtOnceWhatTheNextFramesCorrectOfABigStep) {
  BrightnessFilter filter = filter_at(0);
  filter.add(3);
  filter.add(3);
  filter.add(2.6);
  EXPECT_EQ(*filter.value(), 2.6);
}

TEST(BrightnessFilter, OneOddReadingMovesItByLittle) {
  BrightnessFilter filter = filter_at(0);
  filter.add(0.9);
  for (int i = 0; i < 20; ++i) {
    filter.add(0);
    EXPECT_LT(*filter.value(), 0.02);
  }
}

TEST(BrightnessFilter, SmoothsWhatIsNear) {
  BrightnessFilter filter = filter_at(0);
  double worst = 0;
  for (int i = 0; i < 100; ++i) {
    filter.add(i % 2 == 0 ? 0.04 : -0.04);
    worst = std::max(worst, std::abs(*filter.value()));
  }
  EXPECT_LT(worst, 0.008);
}

// A lamp of 50 Hz at 30 frames per second, exposed for less than a half period.
TEST(BrightnessFilter, FlickerThatRepeatsEachThreeFramesIsStill) {
  BrightnessFilter filter = filter_at(0);
  double low = 1;
  double high = -1;
  for (int i = 0; i < 90; ++i) {
    filter.add(0.4 * std::sin(2 * 3.14159265358979 * i / 3 + 0.3));
    if (i < 30) continue;
    low = std::min(low, *filter.value());
    high = std::max(high, *filter.value());
  }
  EXPECT_LT(high - low, 0.05);
}

TEST(ColourFilter, TellsTheGainsThatMakeGrey) {
  ColourFilter filter;
  EXPECT_FALSE(filter.red());
  filter.add(0.1, 0.2, 0.4);
  EXPECT_NEAR(*filter.red(), 1, 1e-12);
  EXPECT_NEAR(*filter.blue(), -1, 1e-12);
}

TEST(ColourFilter, TakesNineReadingsForMostOfAChange) {
  ColourFilter filter;
  filter.add(0.2, 0.2, 0.2);
  for (int i = 0; i < 9; ++i) filter.add(0.1, 0.2, 0.2);
  EXPECT_NEAR(*filter.red(), 0.65, 0.03);
  EXPECT_EQ(*filter.blue(), 0);
}

TEST(ColourFilter, PassesOverWhatTellsNothing) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  ColourFilter filter;
  filter.add(0, 0, 0);
  filter.add(kNan, kNan, kNan);
  filter.add(0.1, 0, 0.1);
  filter.add(1e-320, 1e300, 0);
  EXPECT_FALSE(filter.red());
  EXPECT_FALSE(filter.blue());
}

constexpr SettingRange kBalance{0.25, 4, 0, 2};

TEST(NextBalance, GoesByThreePerCentAFrame) {
  EXPECT_NEAR(next_balance(1, 2, kBalance), 1.03, 1e-9);
  EXPECT_NEAR(next_balance(2, 1, kBalance), 2 / 1.03, 1e-9);
  EXPECT_NEAR(next_balance(1, 1.02, kBalance), 1.02, 1e-9);
}

TEST(NextBalance, LetsBeWhatIsNear) {
  EXPECT_EQ(next_balance(1, 1.009, kBalance), 1);
  EXPECT_EQ(next_balance(1, 0.992, kBalance), 1);
}

TEST(NextBalance, StaysWithinItsLimitsAndTheSensors) {
  double gain = 1;
  for (int i = 0; i < 100; ++i) gain = next_balance(gain, 10, kBalance);
  EXPECT_NEAR(gain, kMostBalance, 0.03);
  for (int i = 0; i < 100; ++i) gain = next_balance(gain, 0.01, kBalance);
  EXPECT_NEAR(gain, kLeastBalance, 0.01);
  for (int i = 0; i < 100; ++i) gain = next_balance(gain, 10, {1, 1.5, 0, 0});
  EXPECT_NEAR(gain, 1.5, 0.02);
}

TEST(NextBalance, CoarseStepsAreTakenOneByOne) {
  const SettingRange coarse{0.5, 4, 0.25, 2};
  EXPECT_EQ(next_balance(1, 2, coarse), 1.25);
  EXPECT_EQ(next_balance(1.25, 0.5, coarse), 1);
  EXPECT_EQ(next_balance(1, 1.1, coarse), 1);
}

}  // namespace
}  // namespace lockstep
