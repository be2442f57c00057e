// SPDX-License-Identifier: MIT
// Exposures and the frames that they must fit into.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/settings_log.h"
#include "result_testing.h"
#include "settings_rig.h"
#include "settings_testing.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(SettingsLog, AnExposureLongerThanItsFrameIsNotSettledUnlessItIsReported) {
  for (const bool reports : {false, true}) {
    SettingsCaps caps = caps_of(0, 0);
    caps[Setting::frame_duration] = SettingRange{1e6, 1e9, 0, 0};
    caps.reports = reports;
    SettingsLog log(caps);
    for (const Setting setting : {Setting::exposure, Setting::frame_duration}) {
      log.ask(setting, 1);
      SettingsLog::Entry entry{.value = 30e6, .revision = 1};
      entry.placed = true;
      log.add(setting, entry);
    }
    // A servo makes the frame shorter from exposure 5 on.
    SettingsLog::Entry nudge{.value = 29.5e6};
    nudge.placed = true;
    nudge.earliest = nudge.from = 5;
    log.add_nudge(Setting::frame_duration, nudge);
    Settings reported{milliseconds(30)};
    reported.frame_duration = milliseconds(30);
    EXPECT_EQ(log.at({4}, 1, reported).state, SettingsState::settled) << reports;
    reported.exposure = reported.frame_duration = microseconds(29'500);
    const auto state = log.at({5}, 1, reported).state;
    EXPECT_EQ(state, reports ? SettingsState::refused : SettingsState::changing) << reports;
  }
}

std::vector<FakeCamera> cameras_with_frames(bool reports = false) {
  std::vector<FakeCamera> all;
  for (int i = 0; i < 2; ++i) {
    SettingsCaps caps = caps_of(1, 1);
    caps[Setting::exposure]->max = 1e9;
    caps[Setting::frame_duration] = SettingRange{1e6, 1e9, 0, 1};
    caps.reports = reports;
    all.emplace_back(caps, Nanoseconds(0));
  }
  return all;
}

SettingsChange frame_of(Nanoseconds duration) {
  return SettingsChange().set(Setting::frame_duration, duration);
}

TEST(SettingsController, AnExposureLongerThanTheFrameIsRefusedBeforeItIsWritten) {
  FakeRig rig(cameras_with_frames());
  EXPECT_TRUE(fails(rig.request({exposure_of(milliseconds(41))}), Errc::invalid_argument,
                    "sensor 0 (camera0): exposure 41 ms, longer than frame-duration 40 ms"));
  EXPECT_TRUE(fails(rig.request({exposure_of(milliseconds(30)), exposure_of(milliseconds(60))}),
                    Errc::invalid_argument, "sensor 1 (camera1): exposure 60 ms"));
  EXPECT_TRUE(succeeds(rig.request({exposure_of(kFakePeriod)})));
  // Together with a frame that is long enough it goes, and then that may not become shorter.
  EXPECT_TRUE(
      succeeds(rig.request({exposure_of(milliseconds(90)).set(Setting::frame_duration, 100e6)})));
  EXPECT_TRUE(succeeds(rig.request({exposure_of(milliseconds(95))})));
  EXPECT_TRUE(fails(rig.request({frame_of(milliseconds(80))}), Errc::invalid_argument,
                    "exposure 95 ms, longer than frame-duration 80 ms; ask for a shorter"));
  EXPECT_EQ(rig.controller().latest_revision(), 3u);
  EXPECT_EQ(rig.controller().wanted()[1].exposure, milliseconds(95));
}

TEST(SettingsController, AFrameThatCannotBeMadeLongerIsSaidToBeSo) {
  SettingsCaps caps = caps_of(1, 1);
  caps[Setting::exposure]->max = 1e9;
  FakeRig rig({FakeCamera(caps, Nanoseconds(0))});
  EXPECT_TRUE(fails(rig.request({exposure_of(milliseconds(500))}), Errc::invalid_argument,
                    "frame-duration 40 ms, which cannot be set; take a lower frame rate"));
}

TEST(SettingsController, ServoedSensorsLeaveRoomForShorterFrames) {
  FakeRig rig(cameras_with_frames());
  rig.controller().set_aligned(true);
  EXPECT_TRUE(fails(rig.request({exposure_of(microseconds(39'500))}), Errc::invalid_argument,
                    "frame-duration 39.2 ms"));
  EXPECT_TRUE(succeeds(rig.request({exposure_of(milliseconds(39))})));
}

TEST(SettingsController, AnExposureThatADriverShortensIsToldOnceWithTheFrame) {
  for (const bool reports : {false, true}) {
    FakeRig rig(cameras_with_frames(reports));
    if (reports)
      rig.camera(1).cuts_at = milliseconds(20);
    else
      rig.camera(1).rounds_to = 20e6;
    rig.start();
    for (int n = 0; n < 4; ++n) rig.next();
    rig.ask(exposure_of(milliseconds(25)));
    for (int n = 0; n < 12; ++n) rig.next();
    const auto batch = rig.next();
    EXPECT_EQ(batch[1].said.state, SettingsState::refused) << reports;
    EXPECT_EQ(batch[1].said.settings.exposure, milliseconds(20)) << reports;
    const auto complaints = rig.controller().take_complaints();
    ASSERT_EQ(complaints.size(), 1u) << reports;
    EXPECT_EQ(complaints[0].sensor, 1u);
    EXPECT_THAT(complaints[0].error.what, HasSubstr("set exposure 25 ms"));
    EXPECT_THAT(complaints[0].error.what, HasSubstr("exposure 20 ms within frame-duration 40 ms"));
  }
}

}  // namespace
}  // namespace lockstep
