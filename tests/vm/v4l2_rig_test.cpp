// SPDX-License-Identifier: MIT
// Whole rigs of the kernel's simulated cameras. They run freely, each from its own start: frames of
// one set lie up to a period apart.
#include <fcntl.h>

#include <filesystem>

#include "camera.h"
#include "lockstep/rig.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

using std::chrono::seconds;

const Format kFormat{PixelFormat::nv12, 640, 360, {15, 1}};
constexpr Nanoseconds kPeriod(66'666'667);

RigConfig config_of(const std::string& sensors, const std::string& memory) {
  RigConfig config;
  auto specs = parse_sensor_list(sensors);
  EXPECT_TRUE(succeeds(specs));
  if (specs) config.sensors = *std::move(specs);
  config.memory = memory;
  config.grouping.tolerance = kPeriod - Nanoseconds(1);
  config.grouping.max_wait = 2 * kPeriod;
  return config;
}

Result<std::unique_ptr<Rig>> start(RigConfig config) {
  auto rig = Rig::open(std::move(config));
  if (!rig) return rig;
  if (auto configured = (*rig)->configure(kFormat); !configured)
    return std::move(configured).error();
  if (auto started = (*rig)->start(); !started) return std::move(started).error();
  return rig;
}

bool whole(const Batch& batch) {
  return std::all_of(batch.frames.begin(), batch.frames.end(),
                     [](const Frame& frame) { return frame.state == FrameState::fresh; });
}

int luma_of_first_bar(const Frame& frame) {
  return std::to_integer<int>(frame.pixels->data[kFormat.width / 16]);
}

// Takes batches until one answers `wanted`, at most 300.
template <typename Wanted>
testing::AssertionResult reaches(Rig& rig, Wanted wanted) {
  for (int i = 0; i < 300; ++i) {
    auto batch = rig.next_batch(seconds(10));
    if (!batch) return succeeds(batch);
    if (wanted(*batch)) return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "300 batches, and none is it";
}

TEST(V4l2Rig, FourCamerasFillOneBatchWithoutACopyEachItsOwnSlot) {
  constexpr const char* devices[] = {"/dev/video0", "/dev/video1", "/dev/video2", "/dev/video3"};
  for (int i = 0; i < 4; ++i) set_control(devices[i], "Brightness", 128 - 20 * i);
  for (const char* memory : {"udmabuf", "memfd"}) {
    auto rig = start(
        config_of("v4l2:/dev/video0;v4l2:/dev/video1;v4l2:/dev/video2;v4l2:/dev/video3", memory));
    ASSERT_TRUE(succeeds(rig));
    EXPECT_TRUE(reaches(**rig, [](const Batch& batch) {
      if (!whole(batch) || !batch.contiguous()) return false;
      const int brightest = luma_of_first_bar(batch.frames[0]);
      EXPECT_NEAR(brightest, 180, 3);
      for (int i = 0; i < 4; ++i) {
        EXPECT_NEAR(luma_of_first_bar(batch.frames[i]), brightest - 20 * i, 3) << "slot " << i;
        EXPECT_EQ(batch.frames[i].info.copies, 0u);
      }
      return true;
    }));
    for (const auto& sensor : (*rig)->stats().sensors) EXPECT_EQ(sensor.copies, 0u);
  }
  for (const char* device : devices) set_control(device, "Brightness", 128);
}

TEST(V4l2Rig, LentFramesAreCopiedOnceWhereTheBatchIsToBeContiguous) {
  RigConfig config = config_of("v4l2:/dev/video0?io=mmap;v4l2:/dev/video1", "memfd");
  config.layout = BatchLayout::contiguous;
  auto rig = start(config);
  ASSERT_TRUE(succeeds(rig));
  EXPECT_TRUE(reaches(**rig, [](const Batch& batch) {
    EXPECT_TRUE(batch.contiguous());
    if (!whole(batch)) return false;
    EXPECT_EQ(batch.frames[0].info.copies, 1u);
    for (const Frame& frame : batch.frames)
      EXPECT_TRUE(shows_colour_bars(kFormat, frame.layout, frame.pixels->data));
    return true;
  }));
}

TEST(V4l2Rig, CamerasOfEveryKindShareABatchByReference) {
  RigConfig config = config_of(
      "v4l2:/dev/video0?io=mmap;v4l2:/dev/video1?io=userptr;v4l2:/dev/video2;v4l2:/dev/video4;"
      "v4l2:/dev/video5?fourcc=NM12",
      "udmabuf");
  config.layout = BatchLayout::reference;
  auto rig = start(config);
  ASSERT_TRUE(succeeds(rig));
  EXPECT_TRUE(reaches(**rig, [](const Batch& batch) {
    if (!whole(batch)) return false;
    for (const Frame& frame : batch.frames) {
      EXPECT_EQ(frame.info.copies, 0u);
      EXPECT_TRUE(shows_colour_bars(kFormat, frame.layout, frame.pixels->data));
    }
    return true;
  }));
}

TEST(V4l2Rig, CameraThatGoesLeavesItsSlotEmptyAndGetsItBack) {
  std::vector<RigEvent> events;
  RigConfig config = config_of("v4l2:/dev/video0;v4l2:/dev/video1", "udmabuf");
  config.on_event = [&events](const RigEvent& event) {
    if (event.kind != RigEvent::Kind::frames_dropped) events.push_back(event);
  };
  auto rig = start(config);
  ASSERT_TRUE(succeeds(rig));
  EXPECT_TRUE(reaches(**rig, whole));

  UniqueFd keeps_it_away(open("/dev/video1", O_RDWR | O_CLOEXEC));
  set_control("/dev/video1", "Disconnect", 1);
  int alone = 0;
  EXPECT_TRUE(reaches(**rig, [&alone](const Batch& batch) {
    alone +=
        batch.frames[0].state == FrameState::fresh && batch.frames[1].state == FrameState::missing;
    return alone == 10;
  }));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, RigEvent::Kind::sensor_lost);
  EXPECT_EQ(events[0].sensor, 1u);
  EXPECT_EQ(events[0].error.code, Errc::device_lost);
  EXPECT_TRUE((*rig)->stats().sensors[1].lost);

  keeps_it_away.reset();
  EXPECT_TRUE(reaches(**rig, whole));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].kind, RigEvent::Kind::sensor_back);
}

TEST(V4l2Rig, FramesThatTheDriverLostAreCountedForTheirSensor) {
  auto rig = start(config_of("v4l2:/dev/video0;v4l2:/dev/video1", "udmabuf"));
  ASSERT_TRUE(succeeds(rig));
  set_control("/dev/video1", "Percentage of Dropped Buffers", 50);
  const auto lost = [&rig] {
    const auto& drops = (*rig)->stats().sensors[1].drops;
    return drops[static_cast<std::size_t>(DropReason::sensor)];
  };
  EXPECT_TRUE(reaches(**rig, [&lost](const Batch&) { return lost() >= 5; }));
  set_control("/dev/video1", "Percentage of Dropped Buffers", 0);
}

TEST(V4l2Rig, DeviceByTwoNamesIsTheSameDevice) {
  const std::filesystem::path link = "/tmp/lockstep-vm-camera";
  std::filesystem::remove(link);
  std::filesystem::create_symlink("/dev/video0", link);
  EXPECT_TRUE(fails(Rig::open(config_of("v4l2:/dev/video0;v4l2:" + link.string(), "memfd")),
                    Errc::invalid_argument, "the same device"));
  std::filesystem::remove(link);
}

}  // namespace
}  // namespace lockstep
