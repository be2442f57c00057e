// SPDX-License-Identifier: MIT
// Settings of simulated sensors as a rig meets them: written through the sensor, told by its
// frames, and the truth read off what they paint. Which exposures they hold for is in sim_capture.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "lockstep/painted_code.h"
#include "sensor/sim/picture.h"
#include "sensor_bench.h"
#include "settings_testing.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;

// A period of 10 ms, so that times are easy to tell.
constexpr Format kEven{PixelFormat::nv12, 320, 180, {100, 1}};

std::unique_ptr<SensorBench> bench_of(const std::string& name, const Format& format = kEven) {
  auto bench = SensorBench::open(name);
  EXPECT_TRUE(succeeds(bench));
  EXPECT_TRUE(succeeds((*bench)->set_up(format)));
  EXPECT_TRUE(succeeds((*bench)->start()));
  return *std::move(bench);
}

// A frame as it was told, and as it was made.
struct Taken {
  FrameInfo told;
  SimStamp stamp;
  Nanoseconds ready_at{0};
};

// Takes the next frame of a sensor with render=stamp.
Taken next(SensorBench& bench) {
  auto frame = bench.next();
  EXPECT_TRUE(succeeds(frame));
  Taken taken;
  if (!frame) return taken;
  taken.told = frame->info;
  taken.ready_at = frame->ready_at;
  std::memcpy(&taken.stamp, bench.pixels(*frame).data(), sizeof taken.stamp);
  EXPECT_TRUE(succeeds(bench.give_back(*std::move(frame))));
  return taken;
}

TEST(VirtualSim, SettingsAskedForBeforeConfigureHoldFromTheStart) {
  auto bench = SensorBench::open("sim?realtime=false");
  ASSERT_TRUE(succeeds(bench));
  const auto change = SettingsChange().set(Setting::exposure, milliseconds(2));
  ASSERT_TRUE(succeeds((**bench)->write(change, 3, Nanoseconds(0))));
  ASSERT_TRUE(succeeds((*bench)->set_up(kEven)));
  ASSERT_TRUE(succeeds((*bench)->start()));
  const FrameInfo info = next(**bench).told;
  EXPECT_EQ(info.settings_revision, 3u);
  EXPECT_EQ(info.settings.exposure, milliseconds(2));
}

TEST(VirtualSim, SettingsOutliveAStop) {
  auto bench = bench_of("sim?realtime=false");
  const auto change = SettingsChange().set(Setting::exposure, milliseconds(2));
  ASSERT_TRUE(succeeds((*bench)->write(change, 3, Nanoseconds(0))));
  (*bench)->stop();
  ASSERT_TRUE(succeeds(bench->start()));
  EXPECT_EQ(next(*bench).told.settings_revision, 3u);
}

TEST(VirtualSim, TheStampTellsWhatAFrameWasReallyMadeWith) {
  auto bench = bench_of(
      "sim?realtime=false&render=stamp&control-delay=1&report=false&jitter-us=500&"
      "stamp-noise-us=400&phase-us=3000");
  const auto change = exposure_of(milliseconds(2))
                          .set(Setting::analogue_gain, 2)
                          .set(Setting::digital_gain, 3)
                          .set(Setting::red_gain, 1.5)
                          .set(Setting::blue_gain, 0.5)
                          .set(Setting::frame_duration, milliseconds(20));
  next(*bench);
  ASSERT_TRUE(succeeds((*bench)->write(change, 7, milliseconds(6))));
  next(*bench);
  const Taken frame = next(*bench);
  EXPECT_EQ(frame.told.settings, Settings());
  EXPECT_EQ(frame.told.settings_revision, 0u);
  EXPECT_EQ(frame.stamp.settings_revision, 7u);
  EXPECT_EQ(frame.stamp.exposure_ns, 2'000'000);
  EXPECT_EQ(frame.stamp.frame_duration_ns, 20'000'000);
  EXPECT_EQ(frame.stamp.analogue_gain, 2);
  EXPECT_EQ(frame.stamp.digital_gain, 3);
  EXPECT_EQ(frame.stamp.red_gain, 1.5);
  EXPECT_EQ(frame.stamp.blue_gain, 0.5);
  EXPECT_EQ(frame.stamp.captured_ns, frame.told.captured.since_epoch.count());
  EXPECT_NE(frame.stamp.captured_ns, frame.stamp.exposed_ns);
  EXPECT_EQ(frame.ready_at.count(), frame.stamp.exposed_ns + 2'000'000 + 5'000'000);
}

TEST(VirtualSim, ThePaintedCodeTellsTheRevisionThoughTheFrameDoesNot) {
  auto bench = bench_of("sim?realtime=false&render=code&control-delay=0&report=false");
  ASSERT_TRUE(succeeds((*bench)->write({}, 7, Nanoseconds(-1))));
  const auto frame = bench->next();
  ASSERT_TRUE(succeeds(frame));
  EXPECT_EQ(frame->info.settings_revision, 0u);
  const auto code = read_code(luma_of(kEven, bench->stream().layout, bench->pixels(*frame)));
  ASSERT_TRUE(code);
  EXPECT_EQ(code->settings_revision, 7u);
}

TEST(VirtualSim, AnswersWhatItTook) {
  auto bench = bench_of("sim?realtime=false&exposure-step-us=100&analogue-gain-max=4");
  const auto taken = (*bench)->write(
      exposure_of(std::chrono::microseconds(1234)).set(Setting::analogue_gain, 9), 1, {});
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*taken, exposure_of(std::chrono::microseconds(1200)).set(Setting::analogue_gain, 4));
}

TEST(VirtualSim, AWriteCountsFromTheExposureAfterTheOneThatHasBegun) {
  // A frame is ready 12 ms after its exposure began: by then the next has begun, 10 ms after it.
  auto bench =
      bench_of("sim?realtime=false&render=stamp&control-delay=0&exposure-us=8000&readout-us=4000");
  const Taken first = next(*bench);
  EXPECT_EQ(first.ready_at, milliseconds(12));
  ASSERT_TRUE(succeeds((*bench)->write({}, 5, first.ready_at)));
  EXPECT_EQ(next(*bench).stamp.settings_revision, 0u);
  EXPECT_EQ(next(*bench).stamp.settings_revision, 5u);
}

TEST(VirtualSim, AWriteWhenTheNextExposureHasNotBegunCountsFromIt) {
  auto bench =
      bench_of("sim?realtime=false&render=stamp&control-delay=0&exposure-us=5000&readout-us=4000");
  const Taken first = next(*bench);
  EXPECT_EQ(first.ready_at, milliseconds(9));
  ASSERT_TRUE(succeeds((*bench)->write({}, 5, first.ready_at)));
  EXPECT_EQ(next(*bench).stamp.settings_revision, 5u);
}

TEST(VirtualSim, LostFramesPassInTheirTime) {
  auto bench = bench_of("sim?realtime=false&render=stamp&stall-at=10&stall-for=30&control-delay=2");
  EXPECT_EQ(next(*bench).told.sequence, 0u);
  for (int lost = 1; lost <= 3; ++lost) {
    EXPECT_EQ((*bench)->next_event(), milliseconds(10 * lost + 15));
    const auto nothing = (*bench)->dequeue();
    ASSERT_TRUE(succeeds(nothing));
    EXPECT_FALSE(*nothing);
  }
  const auto frame = (*bench)->dequeue();
  ASSERT_TRUE(succeeds(frame));
  ASSERT_TRUE(*frame);
  EXPECT_EQ((**frame).info.sequence, 4u);
  EXPECT_EQ((**frame).skipped, 3u);
}

TEST(VirtualSim, AWriteWhileFramesAreLostCountsThemAndNoMore) {
  // Exposures 1 to 3 are lost; the write comes when 0 and 1 have begun and holds two after 2.
  auto bench = bench_of("sim?realtime=false&render=stamp&stall-at=10&stall-for=30&control-delay=2");
  next(*bench);
  ASSERT_TRUE(succeeds((*bench)->write({}, 4, milliseconds(15))));
  ASSERT_TRUE(succeeds((*bench)->write(exposure_of(milliseconds(2)), 5, milliseconds(15))));
  const Taken frame = next(*bench);
  EXPECT_EQ(frame.told.sequence, 4u);
  EXPECT_EQ(frame.stamp.settings_revision, 5u);
  EXPECT_EQ(frame.stamp.exposure_ns, 2'000'000);
}

TEST(VirtualSim, RefusesWritesForAWhileAndChangesNothing) {
  auto bench = bench_of(
      "sim?realtime=false&render=stamp&control-delay=0&refuse-at=20&refuse-for=20&phase-us=5000");
  const auto write_at = [&](Nanoseconds now, Nanoseconds exposure) {
    return (*bench)->write(exposure_of(exposure), 1, now);
  };
  ASSERT_TRUE(succeeds(write_at(milliseconds(24), milliseconds(2))));
  EXPECT_TRUE(fails(write_at(milliseconds(25), milliseconds(3)), Errc::io,
                    "set exposure 3 ms, the driver refuses: sim?"));
  for (int i = 0; i < 3; ++i) next(*bench);
  EXPECT_EQ(next(*bench).stamp.exposure_ns, 2'000'000);
  ASSERT_TRUE(succeeds(write_at(milliseconds(45), milliseconds(4))));
  for (int i = 0; i < 3; ++i) next(*bench);
  EXPECT_EQ(next(*bench).stamp.exposure_ns, 4'000'000);
}

TEST(VirtualSim, WritesNothingWhereOneSettingIsNotThere) {
  auto bench = bench_of("sim?realtime=false&render=stamp&control-delay=0&controls=exposure");
  const auto both = exposure_of(milliseconds(2)).set(Setting::red_gain, 2);
  EXPECT_TRUE(fails((*bench)->write(both, 1, Nanoseconds(-1)), Errc::not_supported,
                    "left out by the option controls"));
  EXPECT_EQ(next(*bench).stamp.exposure_ns, 10'000'000);
  EXPECT_EQ((**bench).describe().controls.size(), 1u);
}

TEST(VirtualSim, WhileItIsAwayNothingCanBeWritten) {
  auto bench = bench_of("sim?realtime=false&render=stamp&unplug-at=40&unplug-for=20");
  ASSERT_TRUE(succeeds((*bench)->write(exposure_of(milliseconds(2)), 1, milliseconds(39))));
  const auto write = [&] {
    return (*bench)->write(exposure_of(milliseconds(3)), 2, milliseconds(40));
  };
  EXPECT_TRUE(fails(write(), Errc::device_lost, "unplugged"));
  while (bench->next()) continue;
  EXPECT_TRUE(fails(write(), Errc::device_lost, "unplugged"));
  ASSERT_TRUE(succeeds((*bench)->restart()));
  ASSERT_TRUE(succeeds((*bench)->queue(0)));
  const Taken frame = next(*bench);
  EXPECT_EQ(frame.stamp.exposure_ns, 2'000'000);
  EXPECT_EQ(frame.stamp.settings_revision, 1u);
}

TEST(RealtimeSim, SettingsHoldFromTheirExposureOn) {
  auto bench = bench_of("sim?render=stamp&control-delay=3&exposure-us=2000&readout-us=1000");
  next(*bench);
  const Nanoseconds before = monotonic_now();
  ASSERT_TRUE(succeeds((*bench)->write(exposure_of(milliseconds(1)), 1, before)));
  const Nanoseconds after = monotonic_now();
  std::vector<SimStamp> stamps;
  do stamps.push_back(next(*bench).stamp);
  while (stamps.back().settings_revision == 0);
  // Frames may be lost where the machine is slow: exposures are told by their sequence.
  const SimStamp& held = stamps.back();
  const Nanoseconds counted_from(held.exposed_ns - 3 * 10'000'000);
  EXPECT_EQ(held.exposure_ns, 1'000'000);
  if (stamps.size() > 1 && stamps[stamps.size() - 2].sequence + 1 == held.sequence) {
    EXPECT_GT(counted_from, before);
    EXPECT_LE(counted_from, after + milliseconds(10));
  }
}

TEST(RealtimeSim, GoneItTakesNoSettings) {
  auto bench = bench_of("sim?render=stamp&unplug-at=20&unplug-for=0");
  while (bench->next()) continue;
  EXPECT_TRUE(fails((*bench)->write(exposure_of(milliseconds(1)), 1, monotonic_now()),
                    Errc::device_lost, "unplugged"));
}

}  // namespace
}  // namespace lockstep
