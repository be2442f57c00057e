// SPDX-License-Identifier: MIT
// The simulator as a rig meets it, on both clocks. What every sensor promises is in
// tests/conformance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "lockstep/painted_code.h"
#include "sensor/sim/picture.h"
#include "sensor_bench.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;

constexpr Format kSmallPicture{PixelFormat::nv12, 320, 180, {30, 1}};
constexpr Format kFast{PixelFormat::nv12, 160, 90, {200, 1}};

std::unique_ptr<SensorBench> started(const std::string& name, const Format& format = kSmallPicture,
                                     std::size_t num_slots = 4) {
  auto bench = SensorBench::open(name);
  EXPECT_TRUE(succeeds(bench));
  EXPECT_TRUE(succeeds((*bench)->set_up(format, num_slots)));
  EXPECT_TRUE(succeeds((*bench)->start()));
  return *std::move(bench);
}

// Takes the next frame and gives its slot back at once.
FrameInfo next_info(SensorBench& bench) {
  auto frame = bench.next();
  EXPECT_TRUE(succeeds(frame));
  if (!frame) return {};
  const FrameInfo info = frame->info;
  EXPECT_TRUE(succeeds(bench.give_back(*std::move(frame))));
  return info;
}

Error error_of(SensorBench& bench, int most_frames = 1000) {
  for (int i = 0; i < most_frames; ++i) {
    auto frame = bench.next();
    if (!frame) return frame.error();
    EXPECT_TRUE(succeeds(bench.give_back(*std::move(frame))));
  }
  return {};
}

TEST(Sim, OffersEveryFormatNv12First) {
  auto bench = SensorBench::open("sim");
  ASSERT_TRUE(succeeds(bench));
  const auto offers = (**bench)->describe().formats;
  ASSERT_EQ(offers.size(), kPixelFormats.size());
  EXPECT_TRUE(allows(offers.front(), {PixelFormat::nv12, 1920, 1080, {30, 1}}));
  for (std::size_t i = 0; i < offers.size(); ++i) {
    for (auto [width, height] : {std::pair{16u, 16u}, {4096u, 4096u}, {637u, 359u}}) {
      EXPECT_TRUE(allows(offers[i], {kPixelFormats[i], width, height, {1, 1}}));
      EXPECT_TRUE(allows(offers[i], {kPixelFormats[i], width, height, {240, 1}}));
    }
    EXPECT_FALSE(allows(offers[i], {kPixelFormats[i], 15, 16, {30, 1}}));
    EXPECT_FALSE(allows(offers[i], {kPixelFormats[i], 4097, 16, {30, 1}}));
    EXPECT_FALSE(allows(offers[i], {kPixelFormats[i], 16, 16, {241, 1}}));
  }
}

TEST(Sim, OffersOneFormatAndSizeWhereAskedTo) {
  auto bench = SensorBench::open("sim?format=GRAY8&size=640x480");
  ASSERT_TRUE(succeeds(bench));
  const auto offers = (**bench)->describe().formats;
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_TRUE(allows(offers[0], {PixelFormat::gray8, 640, 480, {30, 1}}));
  EXPECT_FALSE(allows(offers[0], {PixelFormat::gray8, 642, 480, {30, 1}}));
  EXPECT_TRUE(fails((*bench)->set_up(kSmallPicture), Errc::not_supported,
                    "it offers GRAY8 640x480 1/1..240/1"));
}

TEST(Sim, TakesNoDevice) {
  EXPECT_TRUE(fails(SensorBench::open("sim:/dev/video0"), Errc::not_found, "sim?seed=2"));
}

TEST(Sim, PaintsWhatItTells) {
  for (PixelFormat pixel_format : kPixelFormats) {
    const Format format{pixel_format, 317, 179, {30, 1}};
    for (const char* render : {"full", "code"}) {
      auto bench = SensorBench::open(std::string("sim?realtime=false&render=") + render);
      ASSERT_TRUE(succeeds(bench));
      (**bench)->set_index(5);
      ASSERT_TRUE(succeeds((*bench)->set_up(format)));
      ASSERT_TRUE(succeeds((*bench)->start()));
      ASSERT_TRUE(succeeds((*bench)->next()));
      const auto frame = (*bench)->next();
      ASSERT_TRUE(succeeds(frame));
      const auto code =
          read_code(luma_of(format, (*bench)->stream().layout, (*bench)->pixels(*frame)));
      ASSERT_TRUE(code) << to_string(format) << " " << render;
      EXPECT_EQ(*code, (PaintedCode{5, 1, 33'333, 0}));
    }
  }
}

TEST(Sim, IsOpaqueWhereThereIsAlpha) {
  const Format format{PixelFormat::rgba, 317, 179, {30, 1}};
  for (const char* render : {"full", "scene", "code"}) {
    auto bench = started(std::string("sim?realtime=false&render=") + render, format);
    const auto frame = bench->next();
    ASSERT_TRUE(succeeds(frame));
    const auto pixels = bench->pixels(*frame);
    const Plane plane = bench->stream().layout.planes[0];
    for (std::size_t y = 0; y < plane.rows; ++y)
      for (std::size_t x = 3; x < plane.row_bytes; x += 4)
        ASSERT_EQ(pixels[y * plane.stride_bytes + x], std::byte{255}) << render << " " << y;
  }
}

TEST(Sim, TheSceneAloneCarriesNoCodeAndIsTheSameOtherwise) {
  const auto pixels = [](const std::string& render) {
    auto bench = started("sim?realtime=false&render=" + render);
    const auto frame = bench->next();
    EXPECT_TRUE(succeeds(frame));
    const auto span = bench->pixels(*frame).first(bench->stream().layout.size_bytes);
    return std::vector<std::byte>(span.begin(), span.end());
  };
  const Layout layout =
      *default_layout(kSmallPicture.pixel_format, kSmallPicture.width, kSmallPicture.height);
  const auto scene = pixels("scene");
  const auto full = pixels("full");
  EXPECT_FALSE(read_code(luma_of(kSmallPicture, layout, scene)));
  EXPECT_TRUE(read_code(luma_of(kSmallPicture, layout, full)));
  const std::size_t lower_half = layout.planes[0].stride_bytes * kSmallPicture.height / 2;
  EXPECT_TRUE(std::equal(scene.begin() + static_cast<std::ptrdiff_t>(lower_half),
                         scene.begin() + static_cast<std::ptrdiff_t>(2 * lower_half),
                         full.begin() + static_cast<std::ptrdiff_t>(lower_half)));
}

TEST(Sim, StampsTheFirstBytesAlone) {
  auto bench = started("sim?realtime=false&render=stamp");
  const auto frame = bench->next();
  ASSERT_TRUE(succeeds(frame));
  const auto pixels = bench->pixels(*frame);
  SimStamp stamp;
  std::memcpy(&stamp, pixels.data(), sizeof stamp);
  EXPECT_EQ(stamp.sequence, frame->info.sequence);
  EXPECT_EQ(stamp.captured_ns, frame->info.captured.since_epoch.count());
  EXPECT_TRUE(std::all_of(pixels.begin() + sizeof stamp, pixels.end(),
                          [](std::byte b) { return b == SensorBench::kUntouched; }));
}

TEST(Sim, SlotsMustBeKnownFreeAndLargeEnough) {
  auto bench = started("sim?realtime=false");
  EXPECT_TRUE(fails((*bench)->queue(0), Errc::invalid_argument, "queued already"));
  EXPECT_TRUE(fails((*bench)->queue(4), Errc::invalid_argument, "there are 4"));
  std::byte byte{};
  const SlotView tiny{&byte, 1, -1, FdKind::none};
  EXPECT_TRUE(fails((*bench)->attach({&tiny, 1}), Errc::invalid_argument, "1 bytes"));
}

TEST(Sim, StartsWhenConfiguredAndAttachedAndOnce) {
  for (const char* name : {"sim", "sim?realtime=false"}) {
    auto bench = SensorBench::open(name);
    ASSERT_TRUE(succeeds(bench));
    EXPECT_TRUE(fails((**bench)->start(), Errc::invalid_argument, "not configured"));
    ASSERT_TRUE(succeeds((*bench)->set_up(kSmallPicture)));
    ASSERT_TRUE(succeeds((*bench)->start()));
    EXPECT_TRUE(fails((**bench)->start(), Errc::invalid_argument, "streams already"));
  }
}

TEST(Sim, SensorsThatLendTakeNoSlots) {
  auto bench = started("sim?realtime=false&delivery=lend");
  EXPECT_TRUE(fails((*bench)->queue(0), Errc::invalid_argument, "lends"));
}

// Everything that a run tells and shows.
std::vector<std::byte> recording(const std::string& name, const Format& format) {
  auto bench = started(name, format);
  std::vector<std::byte> all;
  for (int i = 0; i < 40; ++i) {
    auto frame = bench->next();
    if (!frame) {
      EXPECT_TRUE(succeeds((*bench)->restart()));
      EXPECT_TRUE(succeeds(bench->queue_all()));
      continue;
    }
    const auto pixels = bench->pixels(*frame).first(bench->stream().layout.size_bytes);
    all.insert(all.end(), pixels.begin(), pixels.end());
    const auto told = {static_cast<std::int64_t>(frame->info.sequence),
                       static_cast<std::int64_t>(frame->info.captured.since_epoch.count()),
                       static_cast<std::int64_t>(frame->ready_at.count()),
                       static_cast<std::int64_t>(frame->skipped + (frame->corrupt ? 1000 : 0))};
    const auto bytes = std::as_bytes(std::span(told.begin(), told.end()));
    all.insert(all.end(), bytes.begin(), bytes.end());
    EXPECT_TRUE(succeeds(bench->give_back(*std::move(frame))));
  }
  return all;
}

TEST(VirtualSim, TwoRunsGiveTheSameBytes) {
  const std::string name =
      "sim?realtime=false&drift-ppm=50&jitter-us=500&stamp-noise-us=20&drop=0.1&corrupt=0.1&"
      "duplicate=0.1&stall-at=300&stall-for=200&unplug-at=700&unplug-for=300&flicker-hz=50";
  for (PixelFormat format : kPixelFormats)
    EXPECT_EQ(recording(name, {format, 161, 91, {30, 1}}),
              recording(name, {format, 161, 91, {30, 1}}));
  EXPECT_NE(recording(name, kSmallPicture), recording(name + "&seed=2", kSmallPicture));
}

TEST(VirtualSim, TimeStandsStillWithoutASlot) {
  auto bench = SensorBench::open("sim?realtime=false");
  ASSERT_TRUE(succeeds(bench));
  ASSERT_TRUE(succeeds((*bench)->set_up(kSmallPicture)));
  ASSERT_TRUE(succeeds((**bench)->start()));
  EXPECT_FALSE((**bench)->next_event());
  std::this_thread::sleep_for(milliseconds(5));
  ASSERT_TRUE(succeeds((**bench)->queue(0)));
  EXPECT_EQ((**bench)->next_event(), milliseconds(15));
  const auto frame = (*bench)->next();
  ASSERT_TRUE(succeeds(frame));
  EXPECT_EQ(frame->info.sequence, 0u);
  EXPECT_EQ(frame->skipped, 0u);
  EXPECT_FALSE((**bench)->next_event());
}

TEST(VirtualSim, FramesThatAreLostLeaveAGapAndAreCounted) {
  auto bench = started("sim?realtime=false&drop=0.3&stall-at=1000&stall-for=500");
  std::uint64_t expected = 0;
  std::uint32_t skipped = 0;
  for (int i = 0; i < 60; ++i) {
    auto frame = bench->next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_EQ(frame->info.sequence, expected + frame->skipped);
    expected = frame->info.sequence + 1;
    skipped += frame->skipped;
    ASSERT_TRUE(succeeds(bench->give_back(*std::move(frame))));
  }
  EXPECT_GT(skipped, 15u + 15u);
}

TEST(VirtualSim, DamagedFramesAreMarked) {
  auto bench = started("sim?realtime=false&corrupt=0.5");
  int damaged = 0;
  for (int i = 0; i < 100; ++i) {
    auto frame = bench->next();
    ASSERT_TRUE(succeeds(frame));
    damaged += frame->corrupt ? 1 : 0;
    ASSERT_TRUE(succeeds(bench->give_back(*std::move(frame))));
  }
  EXPECT_NEAR(damaged, 50, 20);
}

TEST(VirtualSim, IsLostWhenUnpluggedAndBackAtItsTime) {
  auto bench = started("sim?realtime=false&unplug-at=200&unplug-for=250");
  EXPECT_TRUE(fails((*bench)->restart(), Errc::invalid_argument, "not lost"));
  for (std::uint64_t sequence = 0; sequence < 6; ++sequence)
    EXPECT_EQ(next_info(*bench).sequence, sequence);
  EXPECT_EQ((*bench)->next_event(), milliseconds(200));
  EXPECT_EQ(error_of(*bench, 1).code, Errc::device_lost);
  EXPECT_EQ((*bench)->next_event(), milliseconds(450));
  EXPECT_TRUE(fails((*bench)->queue(0), Errc::device_lost, "unplugged"));
  EXPECT_TRUE(fails((*bench)->dequeue(), Errc::device_lost, "unplugged"));

  ASSERT_TRUE(succeeds((*bench)->restart()));
  EXPECT_FALSE((*bench)->next_event());  // Nothing is queued.
  ASSERT_TRUE(succeeds(bench->queue_all()));
  const FrameInfo info = next_info(*bench);
  EXPECT_EQ(info.sequence, 14u);
  EXPECT_GE(info.captured.since_epoch, milliseconds(450));
}

TEST(VirtualSim, UnpluggedForGoodNeverComesBack) {
  auto bench = started("sim?realtime=false&unplug-at=50&unplug-for=0");
  EXPECT_EQ(error_of(*bench).code, Errc::device_lost);
  EXPECT_FALSE((*bench)->next_event());
  EXPECT_TRUE(fails((*bench)->restart(), Errc::not_found, "unplugged"));
}

TEST(RealtimeSim, SensorsTriggerAtTheSameInstantsWheneverTheyStart) {
  const auto phase_of = [](const FrameInfo& info) {
    const double periods = static_cast<double>(info.captured.since_epoch.count()) * 200e-9;
    return std::abs(periods - std::round(periods)) / 200e-9;
  };
  auto one = started("sim", kFast);
  EXPECT_LT(phase_of(next_info(*one)), 1000);
  std::this_thread::sleep_for(milliseconds(2));
  auto other = started("sim", kFast);
  EXPECT_LT(phase_of(next_info(*other)), 1000);
}

TEST(RealtimeSim, FramesComeInTheirTime) {
  auto bench = started("sim?exposure-us=2000&readout-us=1000", kFast);
  const auto frame = bench->next();
  ASSERT_TRUE(succeeds(frame));
  EXPECT_GE(frame->ready_at - frame->info.captured.since_epoch, milliseconds(3));
}

TEST(RealtimeSim, FramesWithoutASlotAreLostAndCounted) {
  auto bench = started("sim", kFast, 2);
  auto first = bench->next();
  auto second = bench->next();
  ASSERT_TRUE(succeeds(first) && succeeds(second));
  std::this_thread::sleep_for(milliseconds(30));
  ASSERT_TRUE(succeeds(bench->give_back(*std::move(first))));
  const auto late = bench->next();
  ASSERT_TRUE(succeeds(late));
  EXPECT_GE(late->skipped, 3u);
  EXPECT_EQ(late->info.sequence, second->info.sequence + 1 + late->skipped);
}

TEST(RealtimeSim, ALenderWithEverythingLentLosesFramesAndGoesOn) {
  auto bench = started("sim?delivery=lend", kFast, 2);
  auto first = bench->next();
  auto second = bench->next();
  ASSERT_TRUE(succeeds(first) && succeeds(second));
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_FALSE(bench->is_readable(0));
  first->lent.reset();
  const auto late = bench->next();
  ASSERT_TRUE(succeeds(late));
  EXPECT_GE(late->skipped, 3u);
}

TEST(RealtimeSim, UnpluggedItIsLost) {
  auto bench = started("sim?unplug-at=50&unplug-for=0", kFast);
  EXPECT_GE((*bench)->readable_fd(), 0);
  EXPECT_TRUE(fails(Result<void>(error_of(*bench)), Errc::device_lost, "unplugged"));
  EXPECT_EQ((*bench)->readable_fd(), -1);
  EXPECT_TRUE(fails((*bench)->queue(0), Errc::device_lost, "unplugged"));
  EXPECT_TRUE(fails((*bench)->dequeue(), Errc::device_lost, "unplugged"));
  EXPECT_TRUE(fails((*bench)->restart(), Errc::not_found, "unplugged"));
}

TEST(RealtimeSim, PluggedInAgainItGoesOn) {
  auto bench = started("sim?unplug-at=50&unplug-for=100", kFast);
  EXPECT_EQ(error_of(*bench).code, Errc::device_lost);
  while (!(*bench)->restart()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_GE((*bench)->readable_fd(), 0);
  ASSERT_TRUE(succeeds(bench->queue_all()));
  EXPECT_GE(next_info(*bench).sequence, 30u);  // 150 ms at 200 a second
}

TEST(RealtimeSim, MayBeRestartedFromAnotherThread) {
  auto bench = started("sim?unplug-at=20&unplug-for=10", kFast);
  EXPECT_EQ(error_of(*bench).code, Errc::device_lost);
  std::thread([&] {
    while (!(*bench)->restart()) std::this_thread::sleep_for(milliseconds(1));
  }).join();
  ASSERT_TRUE(succeeds(bench->queue_all()));
  EXPECT_TRUE(succeeds(bench->next()));
}

TEST(RealtimeSim, AStallLosesFramesAndThenGoesOn) {
  auto bench = started("sim?stall-at=25&stall-for=50", kFast);
  std::uint32_t skipped = 0;
  for (int i = 0; i < 12; ++i) {
    auto frame = bench->next();
    ASSERT_TRUE(succeeds(frame));
    skipped += frame->skipped;
    ASSERT_TRUE(succeeds(bench->give_back(*std::move(frame))));
  }
  EXPECT_GE(skipped, 9u);
}

}  // namespace
}  // namespace lockstep
