// SPDX-License-Identifier: MIT
// Settings by the controls of drivers of every kind, none of them real.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "fake_v4l2.h"
#include "result_testing.h"
#include "sensor/v4l2/settings.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr Setting kExposure = Setting::exposure;
constexpr Setting kGain = Setting::analogue_gain;
constexpr Setting kDuration = Setting::frame_duration;

V4l2Control integer(std::uint32_t id, const char* name, std::int64_t min, std::int64_t max,
                    std::int64_t default_value, std::int64_t step = 1) {
  V4l2Control control;
  control.id = id;
  control.name = name;
  control.min = min;
  control.max = max;
  control.step = step;
  control.default_value = control.value = default_value;
  return control;
}

V4l2Control of_type(std::uint32_t type, V4l2Control control, std::uint32_t flags = 0) {
  control.type = type;
  control.flags = flags;
  return control;
}

// As uvcvideo shows a web camera.
std::vector<V4l2Control> usb_camera() {
  return {
      integer(V4L2_CID_BRIGHTNESS, "Brightness", -64, 64, 0),
      of_type(V4L2_CTRL_TYPE_BOOLEAN,
              integer(V4L2_CID_AUTO_WHITE_BALANCE, "White Balance, Automatic", 0, 1, 1)),
      integer(V4L2_CID_GAIN, "Gain", 0, 100, 0),
      integer(V4L2_CID_WHITE_BALANCE_TEMPERATURE, "White Balance Temperature", 2800, 6500, 4600),
      of_type(V4L2_CTRL_TYPE_MENU, integer(V4L2_CID_EXPOSURE_AUTO, "Auto Exposure", 0, 3, 3)),
      integer(V4L2_CID_EXPOSURE_ABSOLUTE, "Exposure Time, Absolute", 1, 5000, 157),
  };
}

// As the imx219 driver shows the sensor at 1640x1232: 3448 pixels a line, 182.4 million a second.
constexpr V4l2FrameSize kSensorSize{1640, 1232};
constexpr double kLineNs = 3448 / 0.1824;

std::vector<V4l2Control> raw_sensor() {
  return {
      integer(V4L2_CID_EXPOSURE, "Exposure", 4, 1759, 1600),
      integer(V4L2_CID_VBLANK, "Vertical Blanking", 4, 64303, 531),
      of_type(V4L2_CTRL_TYPE_INTEGER,
              integer(V4L2_CID_HBLANK, "Horizontal Blanking", 1808, 1808, 1808),
              V4L2_CTRL_FLAG_READ_ONLY),
      integer(V4L2_CID_ANALOGUE_GAIN, "Analogue Gain", 0, 232, 0),
      of_type(V4L2_CTRL_TYPE_INTEGER64,
              integer(V4L2_CID_PIXEL_RATE, "Pixel Rate", 182'400'000, 182'400'000, 182'400'000),
              V4L2_CTRL_FLAG_READ_ONLY),
      integer(V4L2_CID_DIGITAL_GAIN, "Digital Gain", 256, 4095, 256),
  };
}

V4l2SettingsOptions options_of(const std::string& text = "") {
  const auto spec = parse_sensor_spec("v4l2:/dev/video0" + (text.empty() ? "" : "?" + text));
  EXPECT_TRUE(succeeds(spec));
  OptionReader reader(*spec);
  V4l2SettingsOptions options = read_v4l2_settings_options(reader, *spec);
  EXPECT_TRUE(succeeds(reader.finish()));
  return options;
}

// A driver with our side of it.
struct Camera {
  explicit Camera(std::vector<V4l2Control> controls, const std::string& options = "",
                  V4l2FrameSize size = kSensorSize)
      : driver(std::move(controls)),
        node{driver.call(), "/dev/video0"},
        settings(options_of(options)) {
    EXPECT_TRUE(succeeds(settings.find(node, size)));
  }

  Result<SettingsChange> write(const SettingsChange& change) {
    return settings.write(node, change);
  }
  const SettingsCaps& caps() const { return settings.caps(); }
  std::int64_t value(std::uint32_t id) { return driver[id].value; }

  FakeV4l2 driver;
  V4l2Node node;
  V4l2Settings settings;
};

// The sensor whose longest exposure follows its frame.
struct RawCamera : Camera {
  explicit RawCamera(const std::string& options = "analogue-gain-reciprocal=256")
      : Camera(raw_sensor(), options) {
    driver.tie_exposure(kSensorSize.height, 4);
  }
};

TEST(V4l2SettingsCaps, OfAUsbCameraHaveExposureInHundredsOfMicroseconds) {
  Camera camera(usb_camera());
  EXPECT_EQ(camera.caps()[kExposure], (SettingRange{100'000, 500'000'000, 100'000, 1}));
  EXPECT_FALSE(camera.caps().reports);
}

TEST(V4l2SettingsCaps, TellWhatIsMissingAndWhichOptionHelps) {
  Camera camera(usb_camera());
  EXPECT_FALSE(camera.caps()[kGain]);
  const std::string& missing = camera.caps().missing;
  EXPECT_THAT(missing, HasSubstr("analogue-gain: V4L2 gives Gain no unit"));
  EXPECT_THAT(missing, HasSubstr("analogue-gain-unity"));
  EXPECT_THAT(missing, HasSubstr("red-gain, blue-gain: white balance can be set as a temperature"));
  EXPECT_THAT(missing, HasSubstr("digital-gain: no such control"));
  EXPECT_THAT(missing, HasSubstr("frame-duration: no control of vertical blanking"));
  EXPECT_THAT(missing, HasSubstr("fixed while streaming"));
  EXPECT_THAT(missing, Not(HasSubstr("exposure:")));
}

TEST(V4l2SettingsCaps, OfNoControlsAtAllAreEmpty) {
  Camera camera({});
  EXPECT_FALSE(camera.caps().has_any());
  EXPECT_THAT(camera.caps().missing, HasSubstr("exposure, analogue-gain, digital-gain, red-gain"));
}

TEST(V4l2SettingsCaps, OfARawSensorCountInLines) {
  RawCamera camera;
  const auto& exposure = camera.caps()[kExposure];
  ASSERT_TRUE(exposure);
  EXPECT_NEAR(exposure->min, 4 * kLineNs, 1);
  EXPECT_NEAR(exposure->step, kLineNs, 1e-6);
  // As long as the longest frame allows, not just the present one.
  EXPECT_NEAR(exposure->max, (1232 + 64303 - 4) * kLineNs, 1);
  const auto& duration = camera.caps()[kDuration];
  ASSERT_TRUE(duration);
  EXPECT_NEAR(duration->min, (1232 + 4) * kLineNs, 1);
  EXPECT_NEAR(duration->max, (1232 + 64303) * kLineNs, 1);
}

TEST(V4l2SettingsCaps, LinesOfUnknownLengthAreMissing) {
  auto controls = raw_sensor();
  std::erase_if(controls, [](const auto& one) { return one.id == V4L2_CID_PIXEL_RATE; });
  Camera camera(controls);
  EXPECT_FALSE(camera.caps()[kExposure]);
  EXPECT_FALSE(camera.caps()[kDuration]);
  EXPECT_THAT(camera.caps().missing, HasSubstr("exposure-unity"));
  EXPECT_THAT(camera.caps().missing, HasSubstr("the time of a line is not known"));
}

TEST(V4l2SettingsCaps, WhatCannotBeWrittenIsMissing) {
  auto controls = usb_camera();
  controls.back().flags = V4L2_CTRL_FLAG_READ_ONLY;
  Camera camera(controls);
  EXPECT_FALSE(camera.caps()[kExposure]);
  EXPECT_THAT(camera.caps().missing, HasSubstr("exposure: Exposure Time, Absolute cannot be set"));
}

TEST(V4l2SettingsCaps, HaveTheDelaysThatAreGiven) {
  Camera camera(usb_camera(), "exposure-delay=3&analogue-gain-unity=10&analogue-gain-delay=0");
  EXPECT_EQ(camera.caps()[kExposure]->delay, 3);
  EXPECT_EQ(camera.caps()[kGain]->delay, 0);
}

struct GainCase {
  const char* name;
  V4l2Control control;
  const char* options;
  std::int64_t value;  // of the control
  double gain;         // that it is
};

class V4l2Gain : public testing::TestWithParam<GainCase> {};
INSTANTIATE_TEST_SUITE_P(
    Every, V4l2Gain,
    testing::Values(
        GainCase{"BeginsAtOne", integer(V4L2_CID_ANALOGUE_GAIN, "Analogue Gain", 16, 1023, 16), "",
                 24, 1.5},
        GainCase{"Unity", integer(V4L2_CID_GAIN, "Gain", 0, 255, 0), "analogue-gain-unity=64", 96,
                 1.5},
        GainCase{"ByName", integer(V4L2_CID_BRIGHTNESS, "Brightness", 0, 255, 128),
                 "analogue-gain-control=bRIGHTNESS&analogue-gain-unity=64", 128, 2},
        GainCase{"Decibels", integer(V4L2_CID_ANALOGUE_GAIN, "Analogue Gain", 0, 100, 0),
                 "analogue-gain-db=0.3", 20, 1.9952623},
        GainCase{"DecibelsFromElsewhere", integer(V4L2_CID_GAIN, "Gain", -100, 200, 0),
                 "analogue-gain-db=0.1&analogue-gain-unity=-20", 40, 1.9952623},
        GainCase{"Reciprocal", integer(V4L2_CID_ANALOGUE_GAIN, "Analogue Gain", 0, 232, 0),
                 "analogue-gain-reciprocal=256", 128, 2},
        GainCase{"Steps", integer(V4L2_CID_ANALOGUE_GAIN, "Analogue Gain", 64, 1024, 64, 16), "",
                 160, 2.5}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_P(V4l2Gain, IsTheSameBothWays) {
  const GainCase& gain = GetParam();
  Camera camera({gain.control}, gain.options);
  auto taken = camera.write(SettingsChange().set(kGain, gain.gain));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(camera.value(gain.control.id), gain.value);
  EXPECT_NEAR(*(*taken)[kGain], gain.gain, 1e-6);
}

TEST_P(V4l2Gain, ReachesTheEndsOfItsRange) {
  const GainCase& gain = GetParam();
  Camera camera({gain.control}, gain.options);
  const auto& range = camera.caps()[kGain];
  ASSERT_TRUE(range);
  EXPECT_GT(range->min, 0);
  for (const double end : {range->min, range->max}) {
    auto taken = camera.write(SettingsChange().set(kGain, end));
    ASSERT_TRUE(succeeds(taken));
    EXPECT_NEAR(*(*taken)[kGain], end, end * 1e-9);
  }
}

TEST(V4l2WhiteBalance, IsOneAtTheDefault) {
  Camera camera({integer(V4L2_CID_RED_BALANCE, "Red Balance", 0, 1023, 256),
                 integer(V4L2_CID_BLUE_BALANCE, "Blue Balance", 0, 1023, 0)});
  auto taken = camera.write(SettingsChange().set(Setting::red_gain, 2));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(camera.value(V4L2_CID_RED_BALANCE), 512);
  EXPECT_FALSE(camera.caps()[Setting::blue_gain]);
  EXPECT_THAT(camera.caps().missing, HasSubstr("blue-gain-unity"));
}

TEST(V4l2DigitalGain, IsOneAtTheDefault) {
  Camera camera({integer(V4L2_CID_DIGITAL_GAIN, "Digital Gain", 0, 16383, 1024)});
  ASSERT_TRUE(succeeds(camera.write(SettingsChange().set(Setting::digital_gain, 1.5))));
  EXPECT_EQ(camera.value(V4L2_CID_DIGITAL_GAIN), 1536);
}

TEST(V4l2Options, ControlThatThereIsNotIsAnInvalidArgument) {
  FakeV4l2 driver(usb_camera());
  V4l2Settings settings(options_of("analogue-gain-control=Sharpness"));
  const auto found = settings.find({driver.call(), "/dev/video0"}, {});
  EXPECT_TRUE(fails(found, Errc::invalid_argument,
                    "analogue-gain-control=Sharpness, wanted one of Brightness, Gain"));
  EXPECT_TRUE(fails(found, Errc::invalid_argument, "/dev/video0"));
}

TEST(V4l2Options, OneControlForTwoSettingsIsAnInvalidArgument) {
  FakeV4l2 driver(usb_camera());
  V4l2Settings settings(
      options_of("analogue-gain-unity=10&digital-gain-control=Gain&digital-gain-unity=10"));
  EXPECT_TRUE(fails(settings.find({driver.call(), "/dev/video0"}, {}), Errc::invalid_argument,
                    "analogue-gain and digital-gain by the same control, Gain"));
}

TEST(V4l2Options, OutOfRangeAreRefused) {
  for (const char* text : {"exposure-delay=65", "exposure-delay=-1", "analogue-gain-unity=0",
                           "analogue-gain-unity=nan", "analogue-gain-db=0", "exposure-unity=-1"}) {
    const auto spec = parse_sensor_spec(std::string("v4l2:/dev/video0?") + text);
    ASSERT_TRUE(succeeds(spec));
    OptionReader reader(*spec);
    read_v4l2_settings_options(reader, *spec);
    EXPECT_TRUE(fails(reader.finish(), Errc::invalid_argument, "wanted")) << text;
  }
}

TEST(V4l2Write, SwitchesAutomaticOffInTheSameCall) {
  Camera camera(usb_camera());
  auto taken = camera.write(SettingsChange().set(kExposure, microseconds(12'340)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*(*taken)[kExposure], 12.3e6);
  EXPECT_EQ(camera.value(V4L2_CID_EXPOSURE_ABSOLUTE), 123);
  EXPECT_EQ(camera.value(V4L2_CID_EXPOSURE_AUTO), V4L2_EXPOSURE_MANUAL);
  EXPECT_EQ(camera.value(V4L2_CID_AUTO_WHITE_BALANCE), 1);
  EXPECT_THAT(camera.driver.writes,
              ElementsAre(ElementsAre(V4L2_CID_EXPOSURE_AUTO, V4L2_CID_EXPOSURE_ABSOLUTE)));
}

TEST(V4l2Write, IsOneCallWithTheBlankingFirst) {
  RawCamera camera;
  const auto change = SettingsChange()
                          .set(kExposure, milliseconds(20))
                          .set(kGain, 2)
                          .set(Setting::digital_gain, 1.5)
                          .set(kDuration, milliseconds(40));
  auto taken = camera.write(change);
  ASSERT_TRUE(succeeds(taken));
  EXPECT_THAT(camera.driver.writes,
              ElementsAre(ElementsAre(V4L2_CID_VBLANK, V4L2_CID_EXPOSURE, V4L2_CID_ANALOGUE_GAIN,
                                      V4L2_CID_DIGITAL_GAIN)));
  for (const Setting setting : {kExposure, kDuration})
    EXPECT_NEAR(*(*taken)[setting], *change[setting], kLineNs / 2 + 1) << to_string(setting);
  EXPECT_EQ(camera.value(V4L2_CID_VBLANK), 2116 - 1232);
  EXPECT_EQ(camera.value(V4L2_CID_ANALOGUE_GAIN), 128);
  EXPECT_EQ(camera.value(V4L2_CID_DIGITAL_GAIN), 384);
}

// Example failure: the driver limits the exposure to the frame that was before.
TEST(V4l2Write, LongerExposureThanThePresentFrameHasTheBlankingBeforeIt) {
  RawCamera camera;
  auto taken = camera.write(
      SettingsChange().set(kExposure, milliseconds(60)).set(kDuration, milliseconds(66)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_THAT(camera.driver.writes,
              ElementsAre(ElementsAre(V4L2_CID_VBLANK), ElementsAre(V4L2_CID_EXPOSURE)));
  EXPECT_NEAR(*(*taken)[kExposure], 60e6, kLineNs);
  // The next has room already.
  taken = camera.write(SettingsChange().set(kExposure, milliseconds(65)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(camera.driver.writes.size(), 3u);
  EXPECT_NEAR(*(*taken)[kExposure], 65e6, kLineNs);
}

TEST(V4l2Write, ExposureIsLimitedToTheFrame) {
  RawCamera camera;
  auto taken = camera.write(SettingsChange().set(kExposure, milliseconds(60)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_NEAR(*(*taken)[kExposure], 1759 * kLineNs, 1);
  taken = camera.write(
      SettingsChange().set(kExposure, milliseconds(33)).set(kDuration, milliseconds(25)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_LT(*(*taken)[kExposure], *(*taken)[kDuration]);
}

TEST(V4l2Write, TellsThatAShorterFrameShortenedTheExposure) {
  RawCamera camera;
  ASSERT_TRUE(succeeds(camera.write(SettingsChange().set(kExposure, milliseconds(30)))));
  auto taken = camera.write(SettingsChange().set(kDuration, milliseconds(32)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_FALSE((*taken)[kExposure]);
  taken = camera.write(SettingsChange().set(kDuration, milliseconds(25)));
  ASSERT_TRUE(succeeds(taken));
  ASSERT_TRUE((*taken)[kExposure]);
  EXPECT_LT(*(*taken)[kExposure], 25e6);
}

TEST(V4l2Write, AnswersWhatTheDriverMadeOfIt) {
  Camera camera(usb_camera(), "analogue-gain-unity=10");
  camera.driver.coarseness = 8;
  auto taken = camera.write(SettingsChange().set(kGain, 2.3).set(kExposure, milliseconds(3)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*(*taken)[kGain], 1.6);
  EXPECT_EQ(*(*taken)[kExposure], 2.4e6);
}

TEST(V4l2Write, DriverThatDoesNotTellIsBelieved) {
  Camera camera(usb_camera());
  camera.driver.silent = true;
  auto taken = camera.write(SettingsChange().set(kExposure, milliseconds(3)));
  ASSERT_TRUE(succeeds(taken));
  EXPECT_EQ(*(*taken)[kExposure], 3e6);
}

TEST(V4l2Write, OfNothingWritesNothing) {
  Camera camera(usb_camera());
  EXPECT_TRUE(succeeds(camera.write({})));
  EXPECT_TRUE(camera.driver.writes.empty());
}

TEST(V4l2Write, SettingThatIsMissingWritesNothing) {
  Camera camera(usb_camera());
  const auto change = SettingsChange().set(kExposure, milliseconds(3)).set(kGain, 2);
  EXPECT_TRUE(fails(camera.write(change), Errc::not_supported, "analogue-gain-unity"));
  EXPECT_TRUE(fails(camera.write(change), Errc::not_supported, "/dev/video0"));
  EXPECT_TRUE(camera.driver.writes.empty());
}

TEST(V4l2Write, ValueOutOfRangeIsAnInvalidArgument) {
  Camera camera(usb_camera());
  for (const double ns : {0.0, -1.0, 49'000.0, 500'060'000.0, std::nan("")})
    EXPECT_TRUE(fails(camera.write(SettingsChange().set(kExposure, ns)), Errc::invalid_argument,
                      "exposure of"))
        << ns;
  EXPECT_TRUE(camera.driver.writes.empty());
}

struct RefusalCase {
  int os_error;
  bool by_validation;
  Errc code;
};

class V4l2Refusal : public testing::TestWithParam<RefusalCase> {};
INSTANTIATE_TEST_SUITE_P(Every, V4l2Refusal,
                         testing::Values(RefusalCase{EINVAL, true, Errc::invalid_argument},
                                         RefusalCase{ERANGE, true, Errc::invalid_argument},
                                         RefusalCase{ERANGE, false, Errc::invalid_argument},
                                         RefusalCase{EBUSY, false, Errc::busy},
                                         RefusalCase{EIO, false, Errc::io},
                                         RefusalCase{EACCES, true, Errc::io}));

TEST_P(V4l2Refusal, NamesTheControl) {
  Camera camera(usb_camera(), "analogue-gain-unity=10");
  camera.driver.refusals[V4L2_CID_GAIN] = {GetParam().os_error, GetParam().by_validation};
  const auto refused = camera.write(SettingsChange().set(kExposure, milliseconds(3)).set(kGain, 2));
  EXPECT_TRUE(fails(refused, GetParam().code, "set Gain to 20 on /dev/video0"));
  EXPECT_EQ(refused.error().os_error, GetParam().os_error);
}

TEST(V4l2Write, GrabbedControlIsBusyAndNamed) {
  Camera camera(usb_camera(), "analogue-gain-unity=10");
  camera.driver.refusals[V4L2_CID_GAIN] = {EBUSY, true};
  camera.driver[V4L2_CID_GAIN].flags = V4L2_CTRL_FLAG_GRABBED;
  EXPECT_TRUE(fails(camera.write(SettingsChange().set(kExposure, milliseconds(3)).set(kGain, 2)),
                    Errc::busy, "set Gain to 20"));
}

TEST(V4l2Write, RefusedAsAWholeNamesAll) {
  Camera camera(usb_camera());
  camera.driver.no_writes = EBUSY;
  EXPECT_TRUE(fails(camera.write(SettingsChange().set(kExposure, milliseconds(3))), Errc::busy,
                    "set Auto Exposure to 1, Exposure Time, Absolute to 30 on /dev/video0"));
}

TEST(V4l2Write, ToADeviceThatIsGoneIsDeviceLost) {
  Camera camera(usb_camera());
  camera.driver.gone = ENODEV;
  const auto lost = camera.write(SettingsChange().set(kExposure, milliseconds(3)));
  EXPECT_TRUE(fails(lost, Errc::device_lost));
  EXPECT_EQ(lost.error().os_error, ENODEV);
}

TEST(V4l2Restore, WritesAgainWhatWasWritten) {
  Camera camera(usb_camera(), "analogue-gain-unity=10");
  ASSERT_TRUE(succeeds(camera.write(SettingsChange().set(kExposure, milliseconds(3)))));
  ASSERT_TRUE(succeeds(camera.write(SettingsChange().set(kGain, 2))));
  camera.driver = FakeV4l2(usb_camera());  // unplugged and plugged in again
  ASSERT_TRUE(succeeds(camera.settings.find(camera.node, kSensorSize)));
  ASSERT_TRUE(succeeds(camera.settings.restore(camera.node)));
  EXPECT_EQ(camera.value(V4L2_CID_EXPOSURE_ABSOLUTE), 30);
  EXPECT_EQ(camera.value(V4L2_CID_EXPOSURE_AUTO), V4L2_EXPOSURE_MANUAL);
  EXPECT_EQ(camera.value(V4L2_CID_GAIN), 20);
}

TEST(V4l2Restore, OfNothingLeavesTheDeviceAlone) {
  Camera camera(usb_camera());
  ASSERT_TRUE(succeeds(camera.settings.restore(camera.node)));
  EXPECT_TRUE(camera.driver.writes.empty());
}

TEST(V4l2Restore, DoesNotWriteWhatWasRefused) {
  Camera camera(usb_camera(), "analogue-gain-unity=10");
  camera.driver.refusals[V4L2_CID_GAIN] = {EIO, false};
  ASSERT_FALSE(camera.write(SettingsChange().set(kGain, 2)));
  camera.driver.refusals.clear();
  camera.driver.writes.clear();
  ASSERT_TRUE(succeeds(camera.settings.restore(camera.node)));
  EXPECT_TRUE(camera.driver.writes.empty());
}

TEST(V4l2Restore, KeepsToWhatThePartlyRefusedWriteLeft) {
  Camera camera(usb_camera(), "analogue-gain-unity=10");
  ASSERT_TRUE(succeeds(camera.write(SettingsChange().set(kExposure, milliseconds(3)))));
  camera.driver.refusals[V4L2_CID_GAIN] = {EIO, false};
  ASSERT_FALSE(camera.write(SettingsChange().set(kExposure, milliseconds(5)).set(kGain, 2)));
  camera.driver = FakeV4l2(usb_camera());
  ASSERT_TRUE(succeeds(camera.settings.restore(camera.node)));
  EXPECT_EQ(camera.value(V4L2_CID_EXPOSURE_ABSOLUTE), 50);  // it was set before the gain failed
}

}  // namespace
}  // namespace lockstep
