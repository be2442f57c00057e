// SPDX-License-Identifier: MIT
#include "core/exposure_split.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {
namespace {

constexpr double kMs = 1e6;

ExposureLimits usual() {
  ExposureLimits limits;
  limits.exposure = SettingRange{20e3, 1e9, 0, 2};
  limits.analogue_gain = SettingRange{1, 8, 0, 2};
  limits.digital_gain = SettingRange{1, 4, 0, 2};
  limits.max_exposure = 33 * kMs;
  limits.max_gain = 16;
  return limits;
}

struct Case {
  const char* what;
  double total;  // ms
  double exposure;
  double analogue;
  double digital;
};

void expect_split(const Case& wanted, const ExposureLimits& limits,
                  const ExposureSplit& present = {10 * kMs, 1, 1}) {
  const ExposureSplit split = split_exposure(wanted.total * kMs, limits, present);
  EXPECT_NEAR(split.exposure / kMs, wanted.exposure, 1e-4 * wanted.exposure) << wanted.what;
  EXPECT_NEAR(split.analogue_gain, wanted.analogue, 1e-4 * wanted.analogue) << wanted.what;
  EXPECT_NEAR(split.digital_gain, wanted.digital, 1e-4 * wanted.digital) << wanted.what;
}

TEST(ExposureSplit, TakesExposureThenAnalogueThenDigitalGain) {
  for (const Case& wanted :
       {Case{"exposure alone", 5, 5, 1, 1}, Case{"all of it", 33, 33, 1, 1},
        Case{"analogue gain", 66, 33, 2, 1}, Case{"all of that", 264, 33, 8, 1},
        Case{"digital gain", 396, 33, 8, 1.5}, Case{"most gain", 33 * 16, 33, 8, 2},
        Case{"no more", 9999, 33, 8, 2}, Case{"the least", 0.001, 0.02, 1, 1}})
    expect_split(wanted, usual());
}

TEST(ExposureSplit, GainBelowOneIsForWhatTheShortestExposureIsTooMuchFor) {
  ExposureLimits limits = usual();
  limits.analogue_gain->min = 0.5;
  expect_split({"more than the least", 0.04, 0.04, 1, 1}, limits);
  expect_split({"less", 0.015, 0.02, 0.75, 1}, limits);
}

TEST(ExposureSplit, WhatStepsLeaveTheFinerSettingsMakeUpFor) {
  ExposureLimits coarse = usual();
  coarse.exposure->step = 1e6;
  expect_split({"gain for exposure", 10.5, 10.02, 10.5 / 10.02, 1}, coarse);

  ExposureLimits stepped = usual();
  stepped.analogue_gain->step = 0.5;
  expect_split({"digital for analogue", 33 * 1.7, 33, 1.5, 1.7 / 1.5}, stepped);
  stepped.digital_gain.reset();
  expect_split({"exposure for analogue", 33 * 1.7, 33 * 1.7 / 2, 2, 1}, stepped);
}

TEST(ExposureSplit, MultiplesOfTheMainsAreWhole) {
  ExposureLimits limits = usual();
  limits.half_period = 10 * kMs;
  for (const Case& wanted :
       {Case{"shorter than one", 9.5, 9.5, 1, 1}, Case{"one", 10, 10, 1, 1},
        Case{"one and gain", 19, 10, 1.9, 1}, Case{"three", 32, 30, 32.0 / 30, 1},
        Case{"no more than three", 45, 30, 1.5, 1}})
    expect_split(wanted, limits, {1 * kMs, 1, 1});
  limits.half_period = 1e9 / 120;
  expect_split({"of 60 Hz", 33, 25, 33.0 / 25, 1}, limits, {1 * kMs, 1, 1});
}

TEST(ExposureSplit, APresentMultipleIsKeptWhileItServes) {
  ExposureLimits limits = usual();
  limits.half_period = 10 * kMs;
  const ExposureSplit one{10 * kMs, 1.9, 1};
  const ExposureSplit two{20 * kMs, 1, 1};
  expect_split({"nearly two", 19.9, 10, 1.99, 1}, limits, one);
  expect_split({"just two", 20.5, 10, 2.05, 1}, limits, one);
  expect_split({"two with some to spare", 22.5, 20, 1.125, 1}, limits, one);
  expect_split({"still two", 20.1, 20, 1.005, 1}, limits, two);
  expect_split({"no longer two", 19.9, 10, 1.99, 1}, limits, two);
}

TEST(ExposureSplit, WhatCannotBeSetStaysAsItIs) {
  ExposureLimits limits = usual();
  limits.exposure.reset();
  expect_split({"fixed exposure", 30, 10, 3, 1}, limits, {10 * kMs, 1, 1});
  limits = usual();
  limits.analogue_gain.reset();
  limits.digital_gain.reset();
  expect_split({"fixed gain", 30, 15, 2, 1}, limits, {10 * kMs, 2, 1});
  expect_split({"fixed gain, too little", 300, 33, 2, 1}, limits, {10 * kMs, 2, 1});
  limits.exposure.reset();
  expect_split({"nothing", 300, 10, 2, 1}, limits, {10 * kMs, 2, 1});
}

// Whatever the ranges, the answer is one that sensors take, and no more than is allowed.
TEST(ExposureSplit, KeepsToEveryRangeStepAndLimit) {
  std::uint64_t state = 1;
  const auto random = [&](double low, double high) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return low * std::pow(high / low, static_cast<double>(state >> 40) / (1 << 24));
  };
  const auto range = [&](double low, double high, bool whole) {
    SettingRange made{random(low, low * 10), random(high / 10, high), 0, 0};
    if (random(1, 3) > 1.5)
      made.step = whole ? std::round(random(low, low * 30)) : random(0.003, 0.5);
    if (whole) made.min = std::round(made.min);
    if (whole) made.max = std::round(made.max);
    return made;
  };
  for (int i = 0; i < 5000; ++i) {
    ExposureLimits limits;
    if (random(1, 2) > 1.1) limits.exposure = range(1e3, 1e9, true);
    if (random(1, 2) > 1.1) limits.analogue_gain = range(0.2, 100, false);
    if (random(1, 2) > 1.3) limits.digital_gain = range(0.2, 100, false);
    limits.max_exposure = random(1e6, 1e8);
    limits.max_gain = random(1, 64);
    if (random(1, 2) > 1.4) limits.half_period = 1e7;
    const ExposureSplit split =
        split_exposure(random(1e2, 1e11), limits, {random(1e4, 1e8), random(0.5, 20), 1});
    const auto taken = [&](const std::optional<SettingRange>& allowed, double value) {
      return !allowed || std::abs(nearest(*allowed, value) / value - 1) < 1e-9;
    };
    EXPECT_TRUE(taken(limits.exposure, split.exposure)) << i << ": " << split.exposure;
    EXPECT_TRUE(taken(limits.analogue_gain, split.analogue_gain)) << i;
    EXPECT_TRUE(taken(limits.digital_gain, split.digital_gain)) << i;
    if (limits.exposure) {
      EXPECT_LE(split.exposure, std::max(limits.max_exposure, limits.exposure->min) + 1) << i;
    }
  }
}

}  // namespace
}  // namespace lockstep
