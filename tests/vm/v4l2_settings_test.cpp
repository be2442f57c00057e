// SPDX-License-Identifier: MIT
// Settings of the kernel's simulated cameras. They have no exposure, and their gain does not change the picture: their
// brightness stands for the gain, 64 for a factor of 1. It is added to every pixel when a frame is made, which is when
// the frame is stamped: it holds from the next exposure after the write.
#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>

#include "camera.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using testing::AssertionResult;

constexpr const char* kDevice = "/dev/video0";
constexpr const char* kPlain = "v4l2:/dev/video0";
const std::string kLit =
    "v4l2:/dev/"
    "video0?analogue-gain-control=brightness&analogue-gain-unity=64&analogue-gain-delay=0";

const Camera::Config kSmall{.format = {PixelFormat::nv12, 320, 180, {30, 1}}};

SettingsChange gain(double factor) { return SettingsChange().set(Setting::analogue_gain, factor); }

Result<SettingsChange> write(Camera& camera, const SettingsChange& change) {
  return camera.sensor().write(change, std::nullopt, monotonic_now());
}

// What gain the picture shows, to a few percent: the first bar is 180 at a brightness of 128.
double shown_gain(Camera& camera, const Delivered& frame) {
  const int luma = std::to_integer<int>(camera.pixels(frame)[kSmall.format.width / 16]);
  return (luma - 180 + 128) / 64.0;
}

Result<double> gain_of_next(Camera& camera) {
  auto frame = camera.next();
  if (!frame) return std::move(frame).error();
  const double shown = shown_gain(camera, *frame);
  if (auto back = camera.give_back(*std::move(frame)); !back) return std::move(back).error();
  return shown;
}

// Past what was made already when the call began.
AssertionResult comes_to_show(Camera& camera, double wanted) {
  double shown = 0;
  for (std::size_t i = 0; i < Camera::kArenas + 2; ++i) {
    auto found = gain_of_next(camera);
    if (!found) return succeeds(found);
    shown = *found;
  }
  if (std::abs(shown - wanted) < 0.06) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "shows a gain of " << shown << ", wanted " << wanted;
}

class V4l2Light : public testing::Test {
 protected:
  void SetUp() override { set_control(kDevice, "Timestamp Source", 1); }  // start of exposure
  void TearDown() override {
    set_control(kDevice, "Timestamp Source", 0);
    set_control(kDevice, "Brightness", 128);
  }
};

TEST_F(V4l2Light, HoldsFromTheNextExposureAfterTheWrite) {
  set_control(kDevice, "Brightness", 64);
  auto camera = Camera::start(kLit, kSmall);
  ASSERT_TRUE(succeeds(camera));
  int before = 0, after = 0;
  double old = 1;
  for (const double wanted : {2.0, 1.5, 1.0, 1.75, 1.25}) {
    ASSERT_TRUE(succeeds(gain_of_next(**camera)));
    const Nanoseconds begun = monotonic_now();
    auto taken = write(**camera, gain(wanted));
    const Nanoseconds done = monotonic_now();
    ASSERT_TRUE(succeeds(taken));
    EXPECT_EQ(*(*taken)[Setting::analogue_gain], wanted);
    for (int frames_after = 0; frames_after < 3;) {
      auto frame = (*camera)->next();
      ASSERT_TRUE(succeeds(frame));
      const Nanoseconds start = frame->info.captured.since_epoch;
      const double shown = shown_gain(**camera, *frame);
      if (start > done) {
        EXPECT_NEAR(shown, wanted, 0.06);
        ++frames_after;
        ++after;
      } else if (start < begun) {
        EXPECT_NEAR(shown, old, 0.06);
        ++before;
      }
      ASSERT_TRUE(succeeds((*camera)->give_back(*std::move(frame))));
    }
    old = wanted;
  }
  EXPECT_GT(before + after, 14);
}

TEST_F(V4l2Light, IsRoundedToTheControlAndReadBack) {
  auto camera = Camera::start(kLit, kSmall);
  ASSERT_TRUE(succeeds(camera));
  auto taken = write(**camera, gain(1.3));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*(*taken)[Setting::analogue_gain], 83 / 64.0);
  EXPECT_EQ(get_control(kDevice, "Brightness"), 83);
}

TEST_F(V4l2Light, ThatTheDeviceDoesNotHaveIsNotSupported) {
  auto camera = Camera::start(kPlain, kSmall);
  ASSERT_TRUE(succeeds(camera));
  EXPECT_FALSE((*camera)->sensor().settings_caps().has_any());
  const auto exposure = SettingsChange().set(Setting::exposure, milliseconds(5));
  EXPECT_TRUE(fails(write(**camera, exposure), Errc::not_supported, kDevice));
  EXPECT_TRUE(fails(write(**camera, gain(2)), Errc::not_supported, "analogue-gain-unity"));
}

TEST_F(V4l2Light, WithASettingThatIsMissingChangesNothing) {
  auto camera = Camera::start(kLit, kSmall);
  ASSERT_TRUE(succeeds(camera));
  EXPECT_TRUE(fails(write(**camera, gain(2).set(Setting::red_gain, 2)), Errc::not_supported));
  EXPECT_TRUE(fails(write(**camera, gain(4.1)), Errc::invalid_argument, "0.015625 to 3.98438"));
  EXPECT_EQ(get_control(kDevice, "Brightness"), 128);
}

TEST_F(V4l2Light, SwitchesTheAutomaticOff) {
  set_control(kDevice, "Gain, Automatic", 1);
  auto camera = Camera::start(std::string(kPlain) + "?analogue-gain-unity=64", kSmall);
  ASSERT_TRUE(succeeds(camera));
  auto taken = write(**camera, gain(1.5));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*(*taken)[Setting::analogue_gain], 1.5);
  EXPECT_EQ(get_control(kDevice, "Gain, Automatic"), 0);
  EXPECT_EQ(get_control(kDevice, "Gain"), 96);
}

// Another program that has the priority over us (V4L2_PRIORITY_RECORD): the kernel refuses our controls.
TEST_F(V4l2Light, RefusedInMidStreamLeavesTheStreamAndTheLight) {
  auto camera = Camera::start(kLit, kSmall);
  ASSERT_TRUE(succeeds(camera));
  ASSERT_TRUE(succeeds(write(**camera, gain(1.5))));
  {
    UniqueFd other(open(kDevice, O_RDWR | O_CLOEXEC));
    std::uint32_t priority = V4L2_PRIORITY_RECORD;
    ASSERT_EQ(ioctl(other.get(), VIDIOC_S_PRIORITY, &priority), 0);
    const auto refused = write(**camera, gain(2));
    EXPECT_TRUE(fails(refused, Errc::busy, "Brightness to 128"));
    EXPECT_EQ(refused.error().os_error, EBUSY);
    EXPECT_TRUE(comes_to_show(**camera, 1.5));
  }
  EXPECT_TRUE(succeeds(write(**camera, gain(2))));
  EXPECT_TRUE(comes_to_show(**camera, 2));
}

TEST_F(V4l2Light, OutlivesUnplugging) {
  auto camera = Camera::start(kLit, kSmall);
  ASSERT_TRUE(succeeds(camera));
  ASSERT_TRUE(succeeds(write(**camera, gain(1.5))));
  unplug_all();
  EXPECT_TRUE(fails(write(**camera, gain(2)), Errc::device_lost, kDevice));
  EXPECT_TRUE(fails((*camera)->sensor().dequeue(), Errc::device_lost));
  EXPECT_TRUE(fails(write(**camera, gain(2)), Errc::device_lost));
  plug_in_all();
  EXPECT_EQ(get_control(kDevice, "Brightness"), 128);
  ASSERT_TRUE(succeeds((*camera)->sensor().restart()));
  EXPECT_EQ(get_control(kDevice, "Brightness"), 96);
  set_control(kDevice, "Timestamp Source", 1);
}

TEST_F(V4l2Light, ByAControlThatThereIsNotIsAnInvalidArgument) {
  EXPECT_TRUE(fails(Camera::start(std::string(kPlain) + "?exposure-control=Shutter", kSmall),
                    Errc::invalid_argument, "exposure-control=Shutter, wanted one of Brightness"));
  EXPECT_TRUE(fails(Camera::start(std::string(kPlain) + "?subdev=/dev/v4l-subdev99", kSmall),
                    Errc::not_found, "/dev/v4l-subdev99"));
  EXPECT_TRUE(fails(Camera::start(std::string(kPlain) + "?subdev=/dev/null", kSmall),
                    Errc::not_supported, "no V4L2 sub-device"));
}

TEST_F(V4l2Light, IsListed) {
  auto camera = Camera::start(kLit, kSmall);
  ASSERT_TRUE(succeeds(camera));
  const SettingsCaps caps = (*camera)->sensor().describe().settings;
  EXPECT_EQ(caps[Setting::analogue_gain], (SettingRange{1 / 64.0, 255 / 64.0, 1 / 64.0, 0}));
  EXPECT_NE(caps.missing.find("exposure"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
