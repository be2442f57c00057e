// SPDX-License-Identifier: MIT
#include "lockstep/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace lockstep {
namespace {

using std::chrono::nanoseconds;

Histogram of(const std::vector<std::int64_t>& values) {
  Histogram histogram;
  for (std::int64_t value : values) histogram.add(nanoseconds(value));
  return histogram;
}

TEST(Histogram, EmptyTellsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), nanoseconds(0));
  for (double fraction : {0.0, 0.5, 1.0}) EXPECT_EQ(histogram.percentile(fraction), nanoseconds(0));
}

TEST(Histogram, BelowSixteenIsExact) {
  const Histogram histogram = of({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  for (int rank = 1; rank <= 16; ++rank)
    EXPECT_EQ(histogram.percentile(rank / 16.0), nanoseconds(rank - 1));
}

TEST(Histogram, FractionZeroIsTheSmallestAndOneTheLargest) {
  const Histogram histogram = of({3, 7, 1'000'003});
  EXPECT_EQ(histogram.percentile(0), nanoseconds(3));
  EXPECT_EQ(histogram.percentile(1), nanoseconds(1'000'003));
}

TEST(Histogram, PercentileIsTheValueThatEnoughDoNotExceed) {
  const Histogram histogram = of({1, 2, 3, 4});
  EXPECT_EQ(histogram.percentile(0.25), nanoseconds(1));
  EXPECT_EQ(histogram.percentile(0.251), nanoseconds(2));
  EXPECT_EQ(histogram.percentile(0.5), nanoseconds(2));
  EXPECT_EQ(histogram.percentile(0.75), nanoseconds(3));
}

TEST(Histogram, EveryValueIsToldWithinASixteenthAndNeverTooSmall) {
  std::vector<std::int64_t> values;
  for (int bit = 0; bit < 63; ++bit) {
    const std::int64_t power = std::int64_t{1} << bit;
    for (std::int64_t value : {power - 1, power, power + power / 16, power + power / 3})
      values.push_back(value);
  }
  values.push_back(std::numeric_limits<std::int64_t>::max() - 1);
  for (std::int64_t value : values) {
    // Something larger beside it, so that the largest value does not bound the answer.
    const Histogram histogram = of({value, std::numeric_limits<std::int64_t>::max()});
    const std::int64_t told = histogram.percentile(0.5).count();
    EXPECT_GE(told, value);
    EXPECT_LE(told - value, value / 16) << value;
  }
}

TEST(Histogram, LargestDurationIsCounted) {
  const Histogram histogram = of({std::numeric_limits<std::int64_t>::max()});
  EXPECT_EQ(histogram.max(), nanoseconds::max());
  EXPECT_EQ(histogram.percentile(0.5), nanoseconds::max());
}

TEST(Histogram, BelowZeroCountsAsZero) {
  const Histogram histogram = of({-1, std::numeric_limits<std::int64_t>::min()});
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.max(), nanoseconds(0));
  EXPECT_EQ(histogram.percentile(1), nanoseconds(0));
}

TEST(Histogram, FractionsOutsideZeroToOneAreTheEnds) {
  const Histogram histogram = of({3, 9});
  EXPECT_EQ(histogram.percentile(-1), nanoseconds(3));
  EXPECT_EQ(histogram.percentile(2), nanoseconds(9));
}

TEST(Histogram, PercentilesOfManyValuesAreWithinASixteenthOfTheSorted) {
  std::mt19937 engine(7);
  std::lognormal_distribution<double> latencies(11, 2);
  std::vector<std::int64_t> values;
  for (int i = 0; i < 10'000; ++i) values.push_back(static_cast<std::int64_t>(latencies(engine)));
  const Histogram histogram = of(values);
  std::sort(values.begin(), values.end());
  EXPECT_EQ(histogram.count(), values.size());
  for (int percent = 1; percent <= 100; ++percent) {
    const std::int64_t exact = values[values.size() * static_cast<std::size_t>(percent) / 100 - 1];
    const std::int64_t told = histogram.percentile(percent / 100.0).count();
    EXPECT_GE(told, exact) << percent;
    EXPECT_LE(told - exact, exact / 16 + 1) << percent;
  }
}

TEST(Histogram, AFractionThatIsNoNumberCountsAsZero) {
  EXPECT_EQ(of({5, 9}).percentile(std::nan("")), nanoseconds(5));
}

TEST(Histogram, CopyIsASnapshot) {
  Histogram histogram = of({5});
  const Histogram before = histogram;
  histogram.add(nanoseconds(9));
  EXPECT_EQ(before.count(), 1u);
  EXPECT_EQ(before.max(), nanoseconds(5));
  EXPECT_EQ(histogram.count(), 2u);
}

}  // namespace
}  // namespace lockstep
