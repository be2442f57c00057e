// SPDX-License-Identifier: MIT
// Opening and configuring a rig, again and again: what it takes, what it refuses, and what is then still true.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "lockstep/rig.h"
#include "open_fds.h"
#include "rig_testing.h"

namespace lockstep {
namespace {

TEST(RigSetup, StartsAndStopsAgainAndAgainInOtherFormats) {
  auto opened = Rig::open(config_of(times(2, "sim?realtime=false")));
  ASSERT_TRUE(opened);
  Rig& rig = **opened;
  std::vector<Batch> held;
  for (const Format& format : {kSmall, Format{PixelFormat::rgb, 65, 33, {25, 1}}, kSmall}) {
    ASSERT_TRUE(rig.configure(format));
    ASSERT_TRUE(rig.start());
    for (int n = 0; n < 3; ++n) EXPECT_TRUE(rig.next_batch(kLong));
    held.push_back(next(rig));
    rig.stop();
  }
  EXPECT_EQ(held.size(), 3u);
}

TEST(RigSetup, RatesWithoutAPeriodAreRefusedAndChangeNothing) {
  auto rig = started(config_of(times(2, "sim?realtime=false&render=stamp")));
  for (const Fraction rate :
       {Fraction{30, 0}, {0, 0}, {2'000'000'000, 1}, {UINT32_MAX, 1}, {1, UINT32_MAX}}) {
    Format format = kSmall;
    format.framerate = rate;
    EXPECT_TRUE(fails(rig->configure(format), Errc::invalid_argument, "wanted 1/86400 to"));
    EXPECT_EQ(rig->format(), kSmall);
    EXPECT_EQ(next(*rig).frames.size(), 2u);
  }
}

TEST(RigSetup, AFormatThatOneSensorRefusesLeavesTheRigAsItWas) {
  auto opened = Rig::open(
      config_of("sim?realtime=false&render=stamp;sim?realtime=false&render=stamp&size=160x96"));
  ASSERT_TRUE(succeeds(opened));
  Rig& rig = **opened;
  const Format large{PixelFormat::nv12, 640, 480, {60, 1}};
  EXPECT_TRUE(fails(rig.configure(large), Errc::not_supported, "640x480"));
  EXPECT_TRUE(fails(rig.start(), Errc::invalid_argument, "not configured"));

  ASSERT_TRUE(succeeds(rig.configure(kSmall)));
  for (const bool while_it_runs : {false, true}) {
    if (while_it_runs) {
      ASSERT_TRUE(succeeds(rig.start()));
    }
    EXPECT_TRUE(fails(rig.configure(large), Errc::not_supported, "640x480"));
    EXPECT_EQ(rig.format(), kSmall);
    EXPECT_EQ(rig.sync().tolerance, frame_period(kSmall.framerate) / 2);
    EXPECT_TRUE(fails(rig.next_batch(kLong), Errc::invalid_argument, "not started"));
    ASSERT_TRUE(succeeds(rig.start()));
    const Batch batch = next(rig);
    ASSERT_EQ(batch.frames.size(), 2u);
    EXPECT_TRUE(batch.contiguous());
    for (const Frame& frame : batch.frames) EXPECT_EQ(frame.layout.size_bytes, 160u * 96 * 3 / 2);
    EXPECT_EQ(next(rig).captured.since_epoch - batch.captured.since_epoch,
              frame_period(kSmall.framerate));
  }
}

TEST(RigSetup, AnyThreadMayAskWhileItIsConfigured) {
  auto opened = Rig::open(config_of(times(2, "sim?realtime=false&render=stamp")));
  ASSERT_TRUE(succeeds(opened));
  Rig& rig = **opened;
  const Format slow = kSmall;
  Format fast = kSmall;
  fast.framerate = {200, 1};
  ASSERT_TRUE(succeeds(rig.configure(slow)));
  std::atomic<bool> over{false};
  std::thread asking([&] {
    while (!over) {
      const Format format = rig.format();
      EXPECT_TRUE(format == slow || format == fast);
      const Nanoseconds tolerance = rig.sync().tolerance;
      EXPECT_TRUE(tolerance == frame_period(slow.framerate) / 2 ||
                  tolerance == frame_period(fast.framerate) / 2);
      EXPECT_TRUE(succeeds(rig.formats()));
      EXPECT_EQ(rig.frame_space(), MemorySpace::host);
      EXPECT_EQ(rig.clock(), Clock::simulated);
      EXPECT_GE(rig.now(), Nanoseconds(0));
      EXPECT_FALSE(rig.uses_dmabufs() || rig.delivers_dmabufs());
      EXPECT_EQ(rig.num_sensors(), 2u);
      EXPECT_EQ(rig.stats().sensors.size(), 2u);
    }
  });
  for (int n = 0; n < 20; ++n) {
    EXPECT_TRUE(succeeds(rig.configure(n % 2 ? slow : fast)));
    EXPECT_TRUE(succeeds(rig.start()));
    next(rig);
    rig.stop();
  }
  over = true;
  asking.join();
}

TEST(RigSetup, SixtyFourSensorsFitAndSixtyFiveDoNot) {
  auto rig = started(config_of(times(64, "sim?realtime=false&render=stamp")));
  for (int n = 0; n < 3; ++n) {
    const Batch batch = next(*rig);
    ASSERT_EQ(batch.frames.size(), 64u);
    EXPECT_TRUE(batch.contiguous());
  }
  RigConfig config;
  config.sensors.resize(65, SensorSpec{"sim", "", {}});
  auto refused = Rig::open(std::move(config));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
}

TEST(RigSetup, RefusesWhatMakesNoRig) {
  EXPECT_EQ(Rig::open({}).error().code, Errc::invalid_argument);
  EXPECT_EQ(Rig::open(config_of("nosuch:/dev/x")).error().code, Errc::not_found);
  EXPECT_EQ(Rig::open(config_of("sim?nosuch=1")).error().code, Errc::invalid_argument);
  EXPECT_EQ(Rig::open(config_of("sim;sim?realtime=false")).error().code, Errc::invalid_argument);
  EXPECT_EQ(Rig::open(config_of("v4l2:/dev/null;v4l2:/dev/../dev/null")).error().code,
            Errc::invalid_argument);
  RigConfig memory = config_of("sim");
  memory.memory = "nosuch";
  EXPECT_EQ(Rig::open(std::move(memory)).error().code, Errc::not_found);
  for (std::size_t bad : {0u, 65u}) {
    RigConfig config = config_of("sim");
    config.max_batches = bad;
    EXPECT_EQ(Rig::open(std::move(config)).error().code, Errc::invalid_argument);
  }
  RigConfig layout = config_of("sim");
  layout.layout = static_cast<BatchLayout>(9);
  EXPECT_TRUE(fails(Rig::open(std::move(layout)), Errc::invalid_argument, "layout number 9"));
  RigConfig light = config_of("sim");
  light.light.mode = static_cast<LightMode>(99);
  EXPECT_TRUE(fails(Rig::open(std::move(light)), Errc::invalid_argument, "light-mode number 99"));
}

TEST(RigSetup, MoreBatchesThanMemoryAreRefusedBeforeAnyIsTaken) {
  RigConfig config = config_of(times(64, "sim?realtime=false&render=stamp"));
  config.max_batches = 64;
  auto rig = Rig::open(std::move(config));
  ASSERT_TRUE(rig);
  auto configured = (*rig)->configure({PixelFormat::bgrx, 4096, 4096, {30, 1}});
  ASSERT_FALSE(configured);
  EXPECT_EQ(configured.error().code, Errc::out_of_memory);
  EXPECT_NE(configured.error().what.find("for 68 batches"), std::string::npos)
      << configured.error().what;
}

TEST(RigSetup, SensorsWithoutACommonFormatAreListedWithWhatTheyOffer) {
  auto rig = Rig::open(config_of("sim?format=NV12;sim?format=RGB"));
  ASSERT_TRUE(rig);
  auto formats = (*rig)->formats();
  ASSERT_FALSE(formats);
  EXPECT_EQ(formats.error().code, Errc::no_common_format);
  EXPECT_NE(formats.error().what.find("NV12"), std::string::npos);
  EXPECT_NE(formats.error().what.find("RGB"), std::string::npos);
}

TEST(RigSetup, LeavesNoFileDescriptorsBehind) {
  started(config_of("sim?render=stamp"));
  const std::size_t before = num_open_fds();
  for (int n = 0; n < 3; ++n) {
    auto rig = started(config_of(times(4, "sim?render=stamp")));
    next(*rig);
  }
  EXPECT_EQ(num_open_fds(), before);
}

}  // namespace
}  // namespace lockstep
