// SPDX-License-Identifier: MIT
#include "sensor/sim/light.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

using namespace sim_chart;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Light on the mains.
SimLight on_mains(double hz, double depth) {
  SimLighting lighting;
  lighting.flicker_hz = hz;
  lighting.flicker_depth = depth;
  return SimLight(lighting);
}

TEST(SimLight, TheMainsMakeTheLampFlickerAtTwiceTheirRate) {
  for (double mains : {50.0, 60.0}) {
    const SimLight light = on_mains(mains, 0.5);
    double least = 2;
    double most = 0;
    double sum = 0;
    for (int i = 0; i < 1000; ++i) {
      // A thousandth of a flicker's period further each time, over many.
      const auto begin = Nanoseconds(static_cast<std::int64_t>(i * 1.001e9 / (2 * mains)));
      const double brightness = light.lamplight(begin, microseconds(10));
      least = std::min(least, brightness);
      most = std::max(most, brightness);
      sum += brightness;
    }
    EXPECT_NEAR(least, 0.5, 0.001);
    EXPECT_NEAR(most, 1.5, 0.001);
    EXPECT_NEAR(sum / 1000, 1, 0.001);
  }
}

TEST(SimLight, AnExposureOfWholeFlickersDoesNotSeeThem) {
  for (int i = 0; i < 20; ++i) {
    const Nanoseconds begin = std::chrono::hours(5000) + i * microseconds(777);
    EXPECT_NEAR(on_mains(50, 1).lamplight(begin, milliseconds(10)), 1, 1e-6);
    EXPECT_NEAR(on_mains(60, 1).lamplight(begin, microseconds(25'000)), 1, 1e-6);
  }
}

TEST(SimLight, HalfAFlickerSeesTwoOverPiOfTheDepth) {
  const SimLight light = on_mains(50, 0.5);
  EXPECT_NEAR(light.lamplight(seconds(7), milliseconds(5)), 1 + 0.5 * 2 / M_PI, 1e-6);
  EXPECT_NEAR(light.lamplight(seconds(7) + milliseconds(5), milliseconds(5)), 1 - 0.5 * 2 / M_PI,
              1e-6);
}

TEST(SimLight, LampsRunAroundAndShowTheExposure) {
  // 50 lamps, each lit for 1 ms in its turn.
  const auto lit = [](Nanoseconds begin, Nanoseconds exposure, std::size_t lamp) {
    return time_lit(begin, exposure, milliseconds(50), lamp, 50);
  };
  EXPECT_EQ(lit(milliseconds(7), milliseconds(3), 6), Nanoseconds(0));
  EXPECT_EQ(lit(milliseconds(7), milliseconds(3), 7), milliseconds(1));
  EXPECT_EQ(lit(milliseconds(7), milliseconds(3), 9), milliseconds(1));
  EXPECT_EQ(lit(milliseconds(7), milliseconds(3), 10), Nanoseconds(0));
  EXPECT_EQ(lit(microseconds(7250), microseconds(500), 7), microseconds(500));
  EXPECT_EQ(lit(microseconds(49'500), milliseconds(1), 49), microseconds(500));
  EXPECT_EQ(lit(microseconds(49'500), milliseconds(1), 0), microseconds(500));
  EXPECT_EQ(lit(seconds(900), milliseconds(200), 33), milliseconds(4));
}

TEST(SimLight, LampsDoNotHangOnTheMains) {
  SimExposure exposure;
  exposure.settings.exposure = milliseconds(1);
  exposure.begin = microseconds(2000);
  const auto steady = SimLight({}).gather(exposure)[kFastRing.first + 2].red;
  const auto flickering = on_mains(50, 1).gather(exposure)[kFastRing.first + 2].red;
  EXPECT_NEAR(flickering, steady, 0.01 * steady);
}

TEST(SimLight, TheDisplayShowsSensorAndTime) {
  SimExposure exposure;
  exposure.settings.exposure = milliseconds(10);
  exposure.frame_begin = seconds(112) + milliseconds(304);
  exposure.sensor = 17;
  const SimColours light = SimLight({}).gather(exposure);
  const auto lit_segments = [&](std::size_t digit) {
    int count = 0;
    for (std::size_t s = 0; s < kSegments; ++s)
      count += light[kTimeDigits.first + digit * kSegments + s].green > 0.3;
    return count;
  };
  // 12.304, 17
  const int expected[] = {2, 5, 5, 6, 4, 2, 3};
  for (std::size_t digit = 0; digit < 7; ++digit) EXPECT_EQ(lit_segments(digit), expected[digit]);
}

TEST(SimLight, AStepWithinAnExposureCountsByItsShare) {
  SimLighting lighting;
  lighting.change_at = milliseconds(100);
  lighting.change_stops = 2;
  const SimLight light(lighting);
  EXPECT_EQ(light.lamplight(milliseconds(90), milliseconds(10)), 1);
  EXPECT_EQ(light.lamplight(milliseconds(95), milliseconds(10)), 0.5 * 1 + 0.5 * 4);
  EXPECT_EQ(light.lamplight(milliseconds(100), milliseconds(10)), 4);
  // Counted from when the stream began.
  EXPECT_EQ(light.lamplight(milliseconds(100), milliseconds(10), milliseconds(30)), 1);
}

TEST(SimLight, ARampIsTheSameWhetherSeenAtOnceOrInParts) {
  SimLighting lighting;
  lighting.stops = 1;
  lighting.change_at = milliseconds(100);
  lighting.change_over = milliseconds(50);
  lighting.change_stops = -6;
  const SimLight light(lighting);
  double sum = 0;
  for (int i = 0; i < 800; ++i)
    sum += light.lamplight(milliseconds(80) + i * microseconds(100), microseconds(100));
  EXPECT_NEAR(light.lamplight(milliseconds(80), milliseconds(80)), sum / 800, 1e-9);
  EXPECT_EQ(light.lamplight(milliseconds(80), milliseconds(20)), 2);
  EXPECT_EQ(light.lamplight(milliseconds(150), milliseconds(20)), 1.0 / 32);
}

TEST(SimLight, StepsAndFlickersAtOnce) {
  SimLighting lighting;
  lighting.flicker_hz = 50;
  lighting.flicker_depth = 0.5;
  lighting.change_at = milliseconds(105);
  lighting.change_stops = 1;
  // The bright half of the flicker before the step, the dark one after.
  EXPECT_NEAR(SimLight(lighting).lamplight(milliseconds(100), milliseconds(10)),
              0.5 * (1 + 0.5 * 2 / M_PI) + 0.5 * 2 * (1 - 0.5 * 2 / M_PI), 1e-6);
}

}  // namespace
}  // namespace lockstep
