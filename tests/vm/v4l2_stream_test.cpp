// SPDX-License-Identifier: MIT
// What the kernel's simulated cameras say of their frames, and frames that are lent.
#include <poll.h>

#include <cstring>
#include <set>
#include <thread>

#include "camera.h"

namespace lockstep {
namespace {

constexpr const char* kDevice = "/dev/video0";
constexpr const char* kName = "v4l2:/dev/video0";

// Small and fast: these tests wait for many frames.
const Camera::Config kFast{.format = {PixelFormat::nv12, 320, 180, {60, 1}}};

constexpr Nanoseconds kPeriod(16'666'667);

bool readable(int fd) {
  pollfd ready{fd, POLLIN, 0};
  return poll(&ready, 1, 0) > 0;
}

TEST(V4l2Sequence, LostFramesAreTheGaps) {
  auto camera = Camera::start(kName, kFast);
  ASSERT_TRUE(succeeds(camera));
  set_control(kDevice, "Percentage of Dropped Buffers", 50);
  std::uint64_t skipped = 0;
  std::optional<std::uint64_t> before;
  for (int i = 0; i < 100 && skipped < 5; ++i) {
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_TRUE(!before || frame->info.sequence == *before + 1 + frame->skipped);
    before = frame->info.sequence;
    skipped += frame->skipped;
    ASSERT_TRUE(succeeds((*camera)->give_back(*std::move(frame))));
  }
  set_control(kDevice, "Percentage of Dropped Buffers", 0);
  EXPECT_GE(skipped, 5u);
}

TEST(V4l2Sequence, FramesWithNoSlotToGoToAreCounted) {
  auto camera = Camera::start(kName, kFast);
  ASSERT_TRUE(succeeds(camera));
  for (std::size_t i = 0; i < Camera::kArenas; ++i) ASSERT_TRUE(succeeds((*camera)->next()));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // the driver has nowhere to write
  ASSERT_TRUE(succeeds((*camera)->queue_all()));
  auto frame = (*camera)->next();
  ASSERT_TRUE(succeeds(frame));
  EXPECT_GT(frame->skipped, 0u);
}

// vivid begins 128 frames before the end of its 32 bits when it is told to.
TEST(V4l2Sequence, GoesOnBeyond32Bits) {
  set_control(kDevice, "Wrap Sequence Number", 1);
  auto camera = Camera::start(kName, {.format = {PixelFormat::nv12, 320, 180, {120, 1}}});
  set_control(kDevice, "Wrap Sequence Number", 0);
  ASSERT_TRUE(succeeds(camera));
  std::uint64_t last = 0;
  for (int i = 0; i < 300 && last <= UINT32_MAX; ++i) {
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_LT(frame->skipped, 100u);
    EXPECT_GT(frame->info.sequence, last);
    last = frame->info.sequence;
    ASSERT_TRUE(succeeds((*camera)->give_back(*std::move(frame))));
  }
  EXPECT_GT(last, UINT32_MAX);
}

TEST(V4l2Stamp, NamesTheMomentThatTheDriverDeclares) {
  for (int source : {0, 1}) {  // end of frame, start of exposure
    set_control(kDevice, "Timestamp Source", source);
    auto camera = Camera::start(kName, kFast);
    ASSERT_TRUE(succeeds(camera));
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_EQ(frame->info.reference,
              source ? ReferencePoint::start_of_exposure : ReferencePoint::end_of_frame);
    EXPECT_EQ(frame->info.captured.clock, Clock::monotonic);
    // vivid hands a frame over at its start, whichever end of it the stamp names.
    EXPECT_LE(frame->info.captured.since_epoch,
              frame->ready_at + (source ? Nanoseconds(0) : kPeriod));
    EXPECT_LE(frame->ready_at, monotonic_now());
  }
  set_control(kDevice, "Timestamp Source", 0);
}

class DamagedFrame : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(V4l2, DamagedFrame, testing::Values("dmabuf", "userptr", "mmap"),
                         [](const auto& io) { return std::string(io.param); });

TEST_P(DamagedFrame, IsToldAndItsBufferIsFree) {
  auto camera = Camera::start(std::string(kName) + "?io=" + GetParam(), kFast);
  ASSERT_TRUE(succeeds(camera));
  std::size_t num_corrupt = 0;
  // More often than there are buffers: if one were not free again, the frames would end.
  for (std::size_t i = 0; i < 2 * Camera::kArenas; ++i) {
    set_control(kDevice, "Inject V4L2_BUF_FLAG_ERROR", 1);
    for (int tries = 0; tries < 10; ++tries) {
      auto frame = (*camera)->next_of_any_kind();
      ASSERT_TRUE(succeeds(frame));
      const bool corrupt = frame->corrupt;
      EXPECT_TRUE(!corrupt || frame->lent == nullptr);
      num_corrupt += corrupt;
      ASSERT_TRUE(succeeds((*camera)->give_back(*std::move(frame))));
      if (corrupt) break;
    }
  }
  EXPECT_EQ(num_corrupt, 2 * Camera::kArenas);
}

TEST(V4l2Readiness, ComesWithFramesOnly) {
  auto camera = Camera::start(kName, kFast);
  ASSERT_TRUE(succeeds(camera));
  ASSERT_TRUE(succeeds((*camera)->next()));
  EXPECT_GE((*camera)->sensor().readable_fd(), 0);
  while (readable((*camera)->sensor().readable_fd())) ASSERT_TRUE(succeeds((*camera)->next()));
  auto nothing = (*camera)->sensor().dequeue();
  ASSERT_TRUE(succeeds(nothing));
  EXPECT_FALSE(*nothing);
}

// Example failure: poll() reports an error without end, and whoever waits for it spins.
TEST(V4l2Readiness, IsQuietWhileNothingIsQueued) {
  auto camera = Camera::start(kName, kFast);
  ASSERT_TRUE(succeeds(camera));
  ASSERT_TRUE(succeeds((*camera)->sensor().restart()));
  EXPECT_GE((*camera)->sensor().readable_fd(), 0);
  EXPECT_FALSE(readable((*camera)->sensor().readable_fd()));
}

TEST(V4l2Lent, StaysAsItIsWhileItIsHeld) {
  auto camera = Camera::start("v4l2:/dev/video0?io=mmap", kFast);
  ASSERT_TRUE(succeeds(camera));
  set_control(kDevice, "OSD Text Mode", 0);  // text with a counter: each picture differs
  auto held = (*camera)->next();
  ASSERT_TRUE(succeeds(held));
  const std::vector<std::byte> before(held->lent->data, held->lent->data + held->lent->size_bytes);
  for (int i = 0; i < 20; ++i) {
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_NE(frame->lent->data, held->lent->data);
    EXPECT_NE(std::memcmp(frame->lent->data, before.data(), before.size()), 0);
  }
  EXPECT_EQ(std::memcmp(held->lent->data, before.data(), before.size()), 0);
  set_control(kDevice, "OSD Text Mode", 2);
}

TEST(V4l2Lent, OutlivesTheStreamAndTheSensor) {
  std::shared_ptr<const Pixels> held;
  Format format;
  Layout layout;
  {
    auto camera = Camera::start("v4l2:/dev/video0?io=mmap");
    ASSERT_TRUE(succeeds(camera));
    auto frame = (*camera)->next();
    ASSERT_TRUE(succeeds(frame));
    held = frame->lent;
    format = (*camera)->format();
    layout = (*camera)->stream().layout;
  }
  // The device is free for the next one though the frame is still held.
  auto next = Camera::start(kName);
  ASSERT_TRUE(succeeds(next));
  ASSERT_TRUE(succeeds((*next)->next()));
  EXPECT_TRUE(shows_colour_bars(format, layout, held->data));
}

TEST(V4l2Lent, AllOfThemComeBackFromAnyThread) {
  auto camera = Camera::start("v4l2:/dev/video0?io=mmap", kFast);
  ASSERT_TRUE(succeeds(camera));
  std::set<const std::byte*> seen;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::shared_ptr<const Pixels>> held;
    for (std::size_t i = 0; i < Camera::kArenas; ++i) {
      auto frame = (*camera)->next();
      ASSERT_TRUE(succeeds(frame));
      seen.insert(frame->lent->data);
      held.push_back(std::move(frame->lent));
    }
    std::thread([&held] { held.clear(); }).join();
  }
  EXPECT_EQ(seen.size(), Camera::kArenas);
}

}  // namespace
}  // namespace lockstep
