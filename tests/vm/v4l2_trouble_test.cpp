// SPDX-License-Identifier: MIT
// Devices that refuse, are missing, or go away and come back.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "camera.h"
#include "open_fds.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

constexpr const char* kDevice = "/dev/video0";
constexpr const char* kName = "v4l2:/dev/video0";
const Camera::Config kFast{.format = {PixelFormat::nv12, 320, 180, {60, 1}}};

Result<std::unique_ptr<Sensor>> open_sensor(const std::string& name) {
  auto spec = parse_sensor_spec(name);
  if (!spec) return std::move(spec).error();
  auto backend = find_sensor_backend(spec->backend);
  if (!backend) return std::move(backend).error();
  return (*backend)->open(*spec);
}

// Waits for frames until the device is found to be lost.
Error wait_for_loss(Camera& camera) {
  for (int i = 0; i < 100; ++i) {
    auto frame = camera.next_of_any_kind();
    if (!frame) return frame.error();
    if (auto back = camera.give_back(*std::move(frame)); !back) return back.error();
  }
  return Error{Errc::timed_out, 0, "100 frames and no loss"};
}

// What must hold between the loss and the return.
void expect_let_go(Camera& camera, std::size_t fds_before_start) {
  EXPECT_EQ(camera.sensor().readable_fd(), -1);
  EXPECT_TRUE(fails(camera.sensor().dequeue(), Errc::device_lost));
  EXPECT_TRUE(fails(camera.sensor().queue(0), Errc::device_lost));
  EXPECT_EQ(num_open_fds(), fds_before_start);
}

// Frames come in order, and later ones than `before`.
void expect_frames(Camera& camera, std::optional<std::uint64_t> before = {}) {
  ASSERT_TRUE(succeeds(camera.queue_all()));
  for (std::size_t i = 0; i < 2 * Camera::kArenas; ++i) {
    auto frame = camera.next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_TRUE(!before || frame->info.sequence > *before) << frame->info.sequence;
    before = frame->info.sequence;
    ASSERT_TRUE(succeeds(camera.give_back(*std::move(frame))));
  }
}

class EveryIo : public testing::TestWithParam<const char*> {
 protected:
  std::string name() const { return std::string(kName) + "?io=" + GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(V4l2, EveryIo, testing::Values("dmabuf", "userptr", "mmap"),
                         [](const auto& io) { return std::string(io.param); });

TEST_P(EveryIo, UnpluggedIsLostAndComesBackUnderItsName) {
  auto camera = Camera::start(name(), kFast);
  ASSERT_TRUE(succeeds(camera));
  auto last = (*camera)->next();
  ASSERT_TRUE(succeeds(last));
  const std::uint64_t sequence = last->info.sequence;
  last->lent.reset();
  // What the arenas hold open stays; the device's file and the epoll go.
  const std::size_t fds = num_open_fds() - 2;

  unplug_all();
  EXPECT_EQ(wait_for_loss(**camera).code, Errc::device_lost);
  expect_let_go(**camera, fds);
  EXPECT_TRUE(fails((*camera)->sensor().restart(), Errc::not_found, kDevice));
  EXPECT_EQ(num_open_fds(), fds);

  plug_in_all();
  ASSERT_TRUE(succeeds((*camera)->sensor().restart()));
  expect_frames(**camera, sequence);
}

TEST_P(EveryIo, SurvivesAFatalErrorOfItsStream) {
  auto camera = Camera::start(name(), kFast);
  ASSERT_TRUE(succeeds(camera));
  ASSERT_TRUE(succeeds((*camera)->next()));
  const std::size_t fds = num_open_fds() - 2;
  set_control(kDevice, "Inject Fatal Streaming Error", 1);
  const Error error = wait_for_loss(**camera);
  EXPECT_EQ(error.code, Errc::device_lost);
  EXPECT_EQ(error.os_error, EIO);
  expect_let_go(**camera, fds);
  ASSERT_TRUE(succeeds((*camera)->sensor().restart()));
  expect_frames(**camera);
}

TEST_P(EveryIo, StreamThatDoesNotStartIsAnErrorAndLeavesNothing) {
  const std::size_t fds = num_open_fds();
  set_control(kDevice, "Inject VIDIOC_STREAMON Error", 1);
  EXPECT_TRUE(fails(Camera::start(name(), kFast), Errc::not_supported, "start streaming"));
  EXPECT_EQ(num_open_fds(), fds);
  auto camera = Camera::start(name(), kFast);
  ASSERT_TRUE(succeeds(camera));
  EXPECT_TRUE(succeeds((*camera)->next()));
}

TEST_P(EveryIo, LeavesNoFdsBehind) {
  const std::size_t fds = num_open_fds();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(succeeds(Camera::start(name(), kFast)));
  EXPECT_EQ(num_open_fds(), fds);
}

// vivid's own switch for one camera, which comes back when nobody has it open any more.
TEST(V4l2Loss, OfOneDeviceLeavesTheOthers) {
  auto lost = Camera::start("v4l2:/dev/video1", kFast);
  auto other = Camera::start("v4l2:/dev/video2", kFast);
  ASSERT_TRUE(succeeds(lost));
  ASSERT_TRUE(succeeds(other));
  UniqueFd keeps_it_away(open("/dev/video1", O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(keeps_it_away);

  set_control("/dev/video1", "Disconnect", 1);
  EXPECT_EQ(wait_for_loss(**lost).code, Errc::device_lost);
  EXPECT_TRUE(fails((*lost)->sensor().restart(), Errc::not_found, "/dev/video1"));
  expect_frames(**other);

  keeps_it_away.reset();
  ASSERT_TRUE(succeeds((*lost)->sensor().restart()));
  expect_frames(**lost);
}

TEST(V4l2Loss, SlotThatTheDriverRefusesWhileStreaming) {
  auto camera = Camera::start(kName, kFast);
  ASSERT_TRUE(succeeds(camera));
  auto frame = (*camera)->next();
  ASSERT_TRUE(succeeds(frame));
  set_control(kDevice, "Inject VIDIOC_QBUF Error", 1);
  auto refused = (*camera)->sensor().queue(frame->arena_index);
  EXPECT_TRUE(fails(refused, Errc::device_lost, "dmabuf"));
  EXPECT_EQ((*camera)->sensor().readable_fd(), -1);
  ASSERT_TRUE(succeeds((*camera)->sensor().restart()));
}

// A frame that is still held when the device goes keeps its pixels; and it keeps the device's name,
// which only its end makes free.
TEST(V4l2Loss, LentFramesOutliveTheirDevice) {
  auto camera = Camera::start("v4l2:/dev/video0?io=mmap");
  ASSERT_TRUE(succeeds(camera));
  auto frame = (*camera)->next();
  ASSERT_TRUE(succeeds(frame));
  unplug_all();
  EXPECT_EQ(wait_for_loss(**camera).code, Errc::device_lost);
  EXPECT_TRUE(
      shows_colour_bars((*camera)->format(), (*camera)->stream().layout, frame->lent->data));
  frame->lent.reset();
  plug_in_all();
  EXPECT_TRUE(succeeds((*camera)->sensor().restart()));
}

// Example failure: cameras are plugged in again in another order, and show up in each other's slots.
TEST(V4l2Loss, AnotherCameraUnderTheSameNameIsNotTaken) {
  const char* name = "/tmp/lockstep-vm-camera";
  const auto name_device = [&](const char* device) {
    struct stat node {};
    ASSERT_EQ(stat(device, &node), 0);
    std::filesystem::remove(name);
    ASSERT_EQ(mknod(name, S_IFCHR | 0600, node.st_rdev), 0);
  };
  name_device("/dev/video0");
  auto camera = Camera::start("v4l2:" + std::string(name), kFast);
  ASSERT_TRUE(succeeds(camera));
  name_device("/dev/video1");
  EXPECT_TRUE(fails((*camera)->sensor().restart(), Errc::not_found, "vivid-001"));
  name_device("/dev/video0");
  EXPECT_TRUE(succeeds((*camera)->sensor().restart()));
  std::filesystem::remove(name);
}

TEST(V4l2Io, FallsBackWhereTheDriverRefusesTheSlots) {
  for (const char* injection : {"Inject VIDIOC_REQBUFS Error", "Inject VIDIOC_QBUF Error"}) {
    set_control(kDevice, injection, 1);
    auto camera = Camera::start(kName, kFast);
    ASSERT_TRUE(succeeds(camera));
    EXPECT_EQ((*camera)->stream().io.rfind("userptr (no dmabuf: ", 0), 0u)
        << (*camera)->stream().io;
    EXPECT_TRUE(succeeds((*camera)->next()));
  }
}

TEST(V4l2Io, ThatWasAskedForDoesNotFallBack) {
  Camera::Config config = kFast;
  config.memory = "memfd";
  EXPECT_TRUE(fails(Camera::start("v4l2:/dev/video0?io=dmabuf", config), Errc::not_supported,
                    "the slots are memfds"));
  config.memory = "udmabuf";
  EXPECT_TRUE(fails(Camera::start("v4l2:/dev/video4?io=dmabuf&fourcc=NM12", config),
                    Errc::not_supported, "a buffer for each plane"));
}

TEST(V4l2Io, MoreArenasThanTheDriverHasBuffersIsNotSupported) {
  Camera::Config config = kFast;
  config.num_arenas = 65;
  EXPECT_TRUE(fails(Camera::start(kName, config), Errc::not_supported, "max-batches"));
  config.num_arenas = 64;
  EXPECT_TRUE(succeeds(Camera::start(kName, config)));
}

TEST(V4l2Busy, DeviceThatAnotherStreamsFrom) {
  auto first = Camera::start(kName, kFast);
  ASSERT_TRUE(succeeds(first));
  for (const char* io : {"auto", "dmabuf", "userptr", "mmap"})
    EXPECT_TRUE(fails(Camera::start(std::string(kName) + "?io=" + io, kFast), Errc::busy,
                      "another program uses it"));
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/video0?input=1"), Errc::busy, kDevice));
  EXPECT_TRUE(succeeds((*first)->next()));
}

TEST(V4l2Configure, SizeThatTheDeviceDoesNotHaveTellsWhatItGave) {
  Camera::Config config;
  config.format.width = 4000;
  config.format.height = 3000;
  EXPECT_TRUE(fails(Camera::start(kName, config), Errc::not_supported,
                    "set 4000x3000 NV12 30/1 (NV12), the driver gave 3840x2160 NV12"));
}

TEST(V4l2Configure, RateThatTheDeviceDoesNotHaveTellsWhatItGave) {
  Camera::Config config;
  config.format = {PixelFormat::nv12, 1920, 1080, {60, 1}};
  EXPECT_TRUE(fails(Camera::start(kName, config), Errc::not_supported, "a rate of 30/1"));
}

TEST(V4l2Configure, FormatThatTheDeviceDoesNotHaveTellsThoseItHas) {
  Camera::Config config;
  config.format.pixel_format = PixelFormat::p010_10le;
  EXPECT_TRUE(
      fails(Camera::start(kName, config), Errc::not_supported, "the device has NV12, I420"));
}

TEST(V4l2Open, DeviceThatCapturesNoVideoTellsWhatItIs) {
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/video6"), Errc::not_supported, "a video output"));
}

TEST(V4l2Open, InputThatThereIsNot) {
  EXPECT_TRUE(fails(open_sensor("v4l2:/dev/video0?input=99"), Errc::not_found, "input 99"));
}

TEST(V4l2Open, WithoutPermissionTellsWhoMay) {
  ASSERT_EQ(seteuid(65534), 0);
  auto sensor = open_sensor(kName);
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_TRUE(fails(sensor, Errc::permission_denied, "group video"));
}

TEST(V4l2Input, AnotherOneStreamsToo) {
  // HDMI in vivid: any even size, at the rate of its timings.
  Camera::Config config;
  config.format = {PixelFormat::nv12, 502, 302, {60, 1}};
  {
    auto camera = Camera::start("v4l2:/dev/video5?input=3", config);
    ASSERT_TRUE(succeeds(camera));
    EXPECT_TRUE(succeeds((*camera)->next()));
  }
  EXPECT_TRUE(succeeds(open_sensor("v4l2:/dev/video5?input=0")));
}

TEST(V4l2Listing, HasTheDevicesThatCaptureVideo) {
  auto backend = find_sensor_backend("v4l2");
  ASSERT_TRUE(succeeds(backend));
  const std::vector<std::string> names = (*backend)->list();
  EXPECT_EQ(names,
            (std::vector<std::string>{"v4l2:/dev/video0", "v4l2:/dev/video1", "v4l2:/dev/video2",
                                      "v4l2:/dev/video3", "v4l2:/dev/video4", "v4l2:/dev/video5"}));
}

TEST(V4l2Listing, TellsFormatsControlsAndIo) {
  auto sensor = open_sensor(kName);
  ASSERT_TRUE(succeeds(sensor));
  const SensorInfo info = (*sensor)->describe();
  EXPECT_EQ(info.name, kName);
  EXPECT_EQ(info.description, "vivid (vivid, platform:vivid-000)");
  const auto offers = [&](const Format& format) {
    return std::any_of(info.formats.begin(), info.formats.end(),
                       [&](const FormatOffer& offer) { return allows(offer, format); });
  };
  EXPECT_TRUE(offers({PixelFormat::nv12, 1920, 1080, {30, 1}}));
  EXPECT_TRUE(offers({PixelFormat::gray8, 320, 180, {120, 1}}));
  EXPECT_FALSE(offers({PixelFormat::nv12, 1920, 1080, {60, 1}}));
  EXPECT_FALSE(offers({PixelFormat::p010_10le, 1920, 1080, {30, 1}}));
  const auto brightness =
      std::find_if(info.controls.begin(), info.controls.end(),
                   [](const ControlInfo& control) { return control.name == "Brightness"; });
  ASSERT_NE(brightness, info.controls.end());
  EXPECT_EQ(brightness->value, 128);
  EXPECT_EQ(brightness->max, 255);
  ASSERT_EQ(info.io.size(), 3u);
  for (const IoInfo& io : info.io) EXPECT_TRUE(io.works) << io.name;
}

TEST(V4l2Listing, OfADeviceThatStreamsDoesNotDisturbIt) {
  auto camera = Camera::start(kName, kFast);
  ASSERT_TRUE(succeeds(camera));
  const SensorInfo info = (*camera)->sensor().describe();
  EXPECT_FALSE(info.formats.empty());
  for (const IoInfo& io : info.io) EXPECT_NE(io.detail.find("streams"), std::string::npos);
  EXPECT_TRUE(succeeds((*camera)->next()));
}

TEST(V4l2Listing, OfASplitFormatHasThatOnly) {
  auto sensor = open_sensor("v4l2:/dev/video4?fourcc=NM12");
  ASSERT_TRUE(succeeds(sensor));
  for (const FormatOffer& offer : (*sensor)->describe().formats)
    EXPECT_EQ(offer.pixel_format, PixelFormat::nv12);
}

}  // namespace
}  // namespace lockstep
