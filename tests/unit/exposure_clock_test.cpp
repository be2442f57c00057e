// SPDX-License-Identifier: MIT
#include "core/exposure_clock.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lockstep {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanoseconds kFrame{33'333'333};
constexpr Nanoseconds kSinceBoot{999'999'999'999'999'937};  // 31 years; no double holds it.

Nanoseconds constant(std::int64_t) { return kFrame; }

// Of another length for each exposure, by up to 2 %.
Nanoseconds varied(std::int64_t index) {
  return kFrame + Nanoseconds((index * index * 7919 % 1'333'000) - 666'500);
}

// Exposures as they truly are.
struct Truth {
  ExposureClock::DurationOf duration = constant;
  double drift = 0;
  Nanoseconds origin = kSinceBoot;

  // From exposure to exposure, as a sensor counts: asked for in order.
  Nanoseconds start(std::int64_t wanted) {
    for (; index < wanted; ++index) elapsed += duration(index) + part(duration(index));
    return origin + elapsed;
  }

  // Of a duration, what drift adds, in whole nanoseconds.
  Nanoseconds part(Nanoseconds length) {
    rest += static_cast<double>(length.count()) * drift;
    const Nanoseconds whole(std::llround(rest));
    rest -= static_cast<double>(whole.count());
    return whole;
  }

  std::int64_t index = 0;
  Nanoseconds elapsed{0};
  double rest = 0;
};

double us(Nanoseconds time) { return std::chrono::duration<double, std::micro>(time).count(); }

class Noise {
 public:
  explicit Noise(unsigned seed) : random_(seed) {}
  double upto(double most) { return std::uniform_real_distribution<double>(0, most)(random_); }
  Nanoseconds within(Nanoseconds most) {
    const auto width = static_cast<double>(most.count());
    return Nanoseconds(std::llround(upto(2 * width) - width));
  }
  double normal() { return std::normal_distribution<double>()(random_); }

 private:
  std::mt19937_64 random_;
};

TEST(ExposureClock, CountsFromZero) {
  ExposureClock clock(constant);
  EXPECT_FALSE(clock.started());
  EXPECT_EQ(clock.observe(kSinceBoot), 0);
  EXPECT_TRUE(clock.started());
  EXPECT_EQ(clock.observe(kSinceBoot + kFrame), 1);
  EXPECT_EQ(clock.index(), 1);
  EXPECT_EQ(clock.start_of(1), kSinceBoot + kFrame);
}

TEST(ExposureClock, CountsLostFrames) {
  Truth truth{varied, 50e-6};
  ExposureClock clock(varied);
  Noise noise(1);
  for (std::int64_t index = 0; index < 1000; index += index % 7 == 0 ? 1 + index % 11 : 1)
    ASSERT_EQ(clock.observe(truth.start(index) + noise.within(microseconds(300))), index);
  ASSERT_EQ(clock.observe(truth.start(4000)), 4000);
}

TEST(ExposureClock, CountsOnThroughAnHourWithoutFrames) {
  Truth truth{constant, 50e-6};
  ExposureClock clock(constant);
  Noise noise(1);
  for (int index = 0; index < 1000; ++index)
    clock.observe(truth.start(index) + noise.within(microseconds(300)));
  EXPECT_EQ(clock.observe(truth.start(109'000)), 109'000);
}

TEST(ExposureClock, FindsTheNextExposureExactly) {
  ExposureClock clock(varied);
  for (int index = 0; index < 40; ++index) clock.observe(kSinceBoot + seconds(index));
  clock.restart();
  const std::int64_t present = clock.observe(kSinceBoot);  // Drift 0, so that starts are known.
  const auto expect = [&](std::int64_t index, Nanoseconds start) {
    ASSERT_EQ(clock.start_of(index), start);
    ASSERT_EQ(clock.next_after(start - Nanoseconds(1)), index);
    ASSERT_EQ(clock.next_after(start), index + 1);
  };
  Nanoseconds start = kSinceBoot;
  for (std::int64_t index = present; index < present + 4000; start += varied(index++))
    if (index < present + 50 || index > present + 3950) expect(index, start);
  start = kSinceBoot;
  for (std::int64_t index = present; index > present - 4000; start -= varied(--index))
    if (index > present - 50 || index < present - 3950) expect(index, start);
}

TEST(ExposureClock, NextExposureAndItsStartAgreeForAnyTime) {
  Noise noise(2);
  for (const double drift : {0.0, 100e-6, -100e-6, 0.01, -0.01}) {
    Truth truth{varied, drift};
    ExposureClock clock(varied);
    for (int index = 0; index < 100; ++index)
      clock.observe(truth.start(index) + noise.within(microseconds(300)));
    for (const Nanoseconds reach :
         {Nanoseconds(seconds(1)), Nanoseconds(hours(1)), Nanoseconds(hours(24 * 365))}) {
      for (int i = 0; i < 50; ++i) {
        const Nanoseconds time = clock.start_of(99) + noise.within(reach);
        const std::int64_t next = clock.next_after(time);
        ASSERT_GT(clock.start_of(next), time);
        ASSERT_LE(clock.start_of(next - 1), time);
      }
    }
  }
}

TEST(ExposureClock, AnswersForTimesAtTheEndsOfTime) {
  ExposureClock clock([](std::int64_t) { return Nanoseconds(0); });  // Taken for 1 ns.
  clock.observe(kSinceBoot);
  EXPECT_GT(clock.next_after(Nanoseconds::max()), 0);
  EXPECT_LT(clock.next_after(Nanoseconds::min()), 0);
  EXPECT_GT(clock.start_of(std::numeric_limits<std::int64_t>::max()), kSinceBoot);
  EXPECT_LT(clock.start_of(std::numeric_limits<std::int64_t>::min()), kSinceBoot);
}

// Example failure: a driver that stamps frames 0 until its clock is set up.
TEST(ExposureClock, IndexesRiseWhateverTimesComeIn) {
  Noise noise(3);
  for (int round = 0; round < 20; ++round) {
    ExposureClock clock(constant);
    std::int64_t last = -1;
    Nanoseconds time = kSinceBoot;
    for (int i = 0; i < 200; ++i) {
      const double chance = noise.upto(1);
      Nanoseconds captured = time += kFrame;
      if (chance < 0.3) captured = kSinceBoot + noise.within(seconds(3));
      if (chance < 0.2) captured -= 2 * kFrame;
      if (chance < 0.03) captured = Nanoseconds(0);
      if (chance < 0.02) captured = Nanoseconds::max();
      if (chance < 0.01) captured = Nanoseconds::min();
      const std::int64_t index = clock.observe(captured);
      ASSERT_GT(index, last);
      ASSERT_GT(clock.start_of(index + 1), clock.start_of(index));
      last = index;
    }
  }
}

TEST(ExposureClock, LearnsTheDriftFromExactTimes) {
  for (const double ppm : {0.0, 100.0, -100.0, 10'000.0, -10'000.0}) {
    SCOPED_TRACE(ppm);
    Truth truth{varied, ppm * 1e-6};
    ExposureClock clock(varied);
    for (int index = 0; index < 300; ++index) ASSERT_EQ(clock.observe(truth.start(index)), index);
    EXPECT_NEAR(clock.drift() * 1e6, ppm, 0.1);
    EXPECT_NEAR(us(clock.start_of(330) - truth.start(330)), 0, 1);
    EXPECT_LT(us(clock.uncertainty()), 2);
  }
}

// Which noise, and within what the standard deviation that is claimed must lie.
struct Honesty {
  std::string name;
  Nanoseconds noise;
  Nanoseconds jiffy;  // Times are rounded up to multiples of that.
  double after_300_us, after_3000_us;
};

TEST(ExposureClock, ErrsByNoMoreThanItSays) {
  const std::vector<Honesty> table = {
      {"exact", Nanoseconds(0), Nanoseconds(1), 1, 1},
      {"+-10 us", microseconds(10), Nanoseconds(1), 1.5, 1.0},
      {"+-300 us", microseconds(300), Nanoseconds(1), 21, 8},
      {"+-300 us in jiffies of 1 ms", microseconds(300), milliseconds(1), 45, 20},
      {"+-300 us in jiffies of 4 ms", microseconds(300), milliseconds(4), 180, 60},
  };
  for (const Honesty& row : table) {
    int num_wrong = 0, num_asked = 0;
    double squares = 0, sigma_300 = 0, sigma_3000 = 0;
    constexpr int kRounds = 40;
    for (int round = 0; round < kRounds; ++round) {
      Noise noise(static_cast<unsigned>(round));
      const Nanoseconds mean = row.jiffy / 2;
      Truth truth{varied, noise.upto(200e-6) - 100e-6};
      ExposureClock clock(varied);
      for (int index = 0; index < 3000; ++index) {
        truth.drift += 0.02e-6 * noise.normal();
        Nanoseconds captured = truth.start(index) + noise.within(row.noise);
        captured += row.jiffy - Nanoseconds(1) - (captured - Nanoseconds(1)) % row.jiffy;
        ASSERT_EQ(clock.observe(captured), index);
        const double sigma = us(clock.uncertainty());
        const double error = us(clock.start_of(index) - truth.start(index) - mean);
        if (index == 300) sigma_300 += sigma / kRounds;
        if (index == 2999) sigma_3000 += sigma / kRounds;
        if (index < 30) continue;
        ++num_asked;
        num_wrong += std::abs(error) > 4 * sigma ? 1 : 0;
        squares += error * error / (sigma * sigma);
      }
    }
    const double rms = std::sqrt(squares / num_asked);
    SCOPED_TRACE(row.name + ": errs by " + std::to_string(rms) + " of " +
                 std::to_string(sigma_300) + " us after 300, " + std::to_string(sigma_3000) +
                 " us after 3000");
    EXPECT_LE(num_wrong, num_asked / 5000);
    EXPECT_LT(rms, 1.3);
    EXPECT_LT(sigma_300, row.after_300_us);
    EXPECT_LT(sigma_3000, row.after_3000_us);
  }
}

TEST(ExposureClock, AnOutlierIsCountedAndNotBelieved) {
  for (const double off : {0.3, 0.6, 3.4, -0.4, -0.9, -1.0, -3.0}) {
    SCOPED_TRACE(off);
    Truth truth;
    ExposureClock clock(constant);
    for (int index = 0; index < 100; ++index) clock.observe(truth.start(index));
    const Nanoseconds shift(std::llround(off * static_cast<double>(kFrame.count())));
    EXPECT_EQ(clock.observe(truth.start(100) + shift), 100);
    EXPECT_NEAR(us(clock.start_of(100) - truth.start(100)), 0, 1);
    EXPECT_EQ(clock.observe(truth.start(101)), 101);
    EXPECT_NEAR(us(clock.start_of(101) - truth.start(101)), 0, 1);
  }
}

TEST(ExposureClock, BelievesNewTimesOnceEnoughAgree) {
  for (const double off : {0.5, -0.5, 0.3, 100.5, -100.5}) {
    SCOPED_TRACE(off);
    Truth truth{constant, 100e-6};
    ExposureClock clock(constant);
    for (int index = 0; index < 300; ++index) clock.observe(truth.start(index));
    const Nanoseconds shift(std::llround(off * static_cast<double>(kFrame.count())));
    std::int64_t index = 299;
    for (int i = 0; i < ExposureClock::kBelieveAfter; ++i) {
      const Nanoseconds captured = truth.start(300 + i) + shift;
      EXPECT_GT(std::abs(us(clock.start_of(index + 1) - captured)), 1000);
      index = clock.observe(captured);
    }
    const std::int64_t passed = off > 1 ? 100 : 0;
    EXPECT_EQ(index, 299 + ExposureClock::kBelieveAfter + passed);
    EXPECT_NEAR(us(clock.start_of(index) - truth.start(302) - shift), 0, 10);
    EXPECT_NEAR(us(clock.start_of(index + 1) - truth.start(303) - shift), 0, 10);
    EXPECT_NEAR(clock.drift() * 1e6, 100, 1) << "the same crystal";
  }
}

// Example failure: a camera that gives 25 frames a second and says 30.
TEST(ExposureClock, GetsByWithDurationsThatAreFarFromWhatIsSaid) {
  ExposureClock clock(constant);
  std::int64_t index = -1;
  for (int i = 0; i < 300; ++i) {
    const std::int64_t next = clock.observe(kSinceBoot + i * milliseconds(40));
    ASSERT_EQ(next, index + 1);
    index = next;
  }
  EXPECT_NEAR(us(clock.start_of(310) - kSinceBoot - 310 * milliseconds(40)), 0, 100);
}

TEST(ExposureClock, DisturbedItFollowsAStepAtOnce) {
  Noise noise(4);
  Truth truth{constant, 20e-6};
  ExposureClock clock(constant);
  const auto observe = [&](int index) {
    clock.observe(truth.start(index) + noise.within(microseconds(300)));
  };
  for (int index = 0; index < 1000; ++index) observe(index);
  const double before = us(clock.uncertainty());
  clock.disturb(microseconds(600));
  EXPECT_NEAR(us(clock.uncertainty()), std::hypot(600, before), 1);
  truth.origin += microseconds(600);
  for (int index = 1000; index < 1030; ++index) observe(index);
  const double error = us(clock.start_of(1029) - truth.start(1029));
  EXPECT_LT(std::abs(error), 4 * us(clock.uncertainty()));
  EXPECT_LT(us(clock.uncertainty()), 50);
}

TEST(ExposureClock, NoticesAStepThatItWasNotToldOf) {
  Truth truth{constant, 20e-6};
  ExposureClock clock(constant);
  for (int index = 0; index < 1000; ++index) clock.observe(truth.start(index));
  truth.origin += microseconds(600);
  for (int index = 1000; index < 1010; ++index) clock.observe(truth.start(index));
  EXPECT_NEAR(us(clock.start_of(1009) - truth.start(1009)), 0, 4);
}

TEST(ExposureClock, RestartForgetsAllButTheCount) {
  Truth truth{constant, 100e-6};
  ExposureClock clock(constant);
  for (int index = 0; index < 300; ++index) clock.observe(truth.start(index));
  clock.restart();
  EXPECT_FALSE(clock.started());
  EXPECT_EQ(clock.drift(), 0);
  EXPECT_EQ(clock.observe(Nanoseconds(5)), 300);
  EXPECT_EQ(clock.start_of(300), Nanoseconds(5));
}

}  // namespace
}  // namespace lockstep
