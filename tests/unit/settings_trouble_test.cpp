// SPDX-License-Identifier: MIT
// What is late, refused, lost or altered: it is said so, and no batch is called uniform that is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "result_testing.h"
#include "settings_rig.h"
#include "settings_testing.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(SettingsController, ALateWriteIsToldAndNeverCalledUniform) {
  FakeRig rig(cameras({{2, 2}, {0, 0}}));
  rig.start();
  for (int n = 0; n < 5; ++n) rig.next();
  const std::uint32_t revision = rig.ask(both_of(milliseconds(5), 2));
  rig.next();
  bool differed = false;
  for (int n = 0; n < 11; ++n) {
    rig.blocked = n < 3;  // sensor 0 has been written, sensor 1 is not in time
    const auto batch = rig.next();
    differed = differed || !is_uniform(batch);
    EXPECT_LE(says_uniform(batch), is_uniform(batch)) << n;
    if (n > 4) {
      EXPECT_TRUE(says_uniform(batch)) << n;
      EXPECT_EQ(batch[1].said.revision, revision);
    }
  }
  EXPECT_GE(rig.controller().late_writes(), 1u);
  EXPECT_TRUE(differed);
}

TEST(SettingsController, ASensorThatRefusesKeepsWhatItHadAndIsMarked) {
  FakeRig rig(cameras({{2, 1}, {2, 1}}));
  rig.start();
  for (int n = 0; n < 5; ++n) rig.next();
  const std::uint32_t first = rig.ask(exposure_of(milliseconds(5)));
  for (int n = 0; n < 6; ++n) rig.next();
  rig.camera(1).refuses = {rig.camera(1).num_writes};
  const std::uint32_t second = rig.ask(exposure_of(milliseconds(8)));
  for (int n = 0; n < 6; ++n) EXPECT_LE(says_uniform(rig.next()), n < 3);
  const auto batch = rig.next();
  EXPECT_EQ(batch[0].said.revision, second);
  EXPECT_EQ(batch[1].said.revision, first);
  EXPECT_EQ(batch[1].said.state, SettingsState::refused);
  EXPECT_EQ(batch[1].said.settings.exposure, milliseconds(5));
  const auto complaints = rig.controller().take_complaints();
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_EQ(complaints[0].sensor, 1u);
  EXPECT_EQ(complaints[0].error.os_error, 5);

  // The same again is tried again.
  rig.ask(exposure_of(milliseconds(8)));
  for (int n = 0; n < 6; ++n) rig.next();
  EXPECT_TRUE(says_uniform(rig.next()));
}

TEST(SettingsController, ASensorThatRefusesForLongCostsNoMemoryAndComesBack) {
  FakeRig rig(cameras({{1, 1}, {1, 1}}));
  rig.start();
  for (int n = 0; n < 3; ++n) rig.next();
  for (int n = 0; n < 2000; ++n) rig.camera(1).refuses.insert(n);
  for (int n = 0; n < 500; ++n) {
    rig.ask(exposure_of(milliseconds(2 + n % 9)));
    EXPECT_FALSE(n > 5 && says_uniform(rig.next())) << n;
  }
  rig.camera(1).refuses.clear();
  rig.ask(exposure_of(milliseconds(20)));
  for (int n = 0; n < 6; ++n) rig.next();
  EXPECT_TRUE(says_uniform(rig.next()));
}

TEST(SettingsController, ADriverThatTakesSomethingElseIsToldAndMarked) {
  FakeRig rig(cameras({{1, 1}, {1, 1}}));
  rig.camera(1).rounds_to = 4e6;
  rig.start();
  for (int n = 0; n < 4; ++n) rig.next();
  rig.ask(exposure_of(milliseconds(10)));
  for (int n = 0; n < 6; ++n) rig.next();
  const auto batch = rig.next();
  EXPECT_FALSE(says_uniform(batch));
  EXPECT_EQ(batch[1].said.state, SettingsState::refused);
  EXPECT_EQ(batch[1].said.settings.exposure, batch[1].truth.exposure);
  const auto complaints = rig.controller().take_complaints();
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_THAT(complaints[0].error.what, HasSubstr("10 ms, the driver took exposure 12 ms"));
}

TEST(SettingsController, WhatADriverChangesBesidesIsToldAndMarked) {
  FakeRig rig(cameras({{1, 1}, {1, 1}}));
  rig.camera(1).shortens_exposure = true;
  rig.start();
  for (int n = 0; n < 4; ++n) rig.next();
  rig.ask(exposure_of(milliseconds(30)));
  for (int n = 0; n < 5; ++n) rig.next();
  EXPECT_TRUE(says_uniform(rig.next()));
  rig.ask(gain_of(2));
  for (int n = 0; n < 5; ++n) {
    const auto batch = rig.next();
    EXPECT_LE(says_uniform(batch), is_uniform(batch)) << n;
  }
  const auto batch = rig.next();
  EXPECT_EQ(batch[1].said.settings.exposure, milliseconds(5));
  EXPECT_EQ(batch[1].said.state, SettingsState::refused);
  EXPECT_EQ(rig.controller().take_complaints().size(), 1u);
}

TEST(SettingsController, RoundingByTheSensorsOwnStepIsNoTrouble) {
  std::vector<FakeCamera> all = cameras({{1, 1}});
  SettingsCaps coarse = caps_of(1, 1);
  coarse[Setting::exposure] = SettingRange{1e6, 39e6, 3e6, 1};
  all.emplace_back(coarse, Nanoseconds(0));
  FakeRig rig(std::move(all));
  rig.start();
  for (int n = 0; n < 4; ++n) rig.next();
  rig.ask(exposure_of(milliseconds(11)));
  for (int n = 0; n < 5; ++n) rig.next();
  const auto batch = rig.next();
  EXPECT_TRUE(says_uniform(batch));
  EXPECT_EQ(batch[0].said.settings.exposure, milliseconds(11));
  EXPECT_EQ(batch[1].said.settings.exposure, milliseconds(10));
  EXPECT_TRUE(rig.controller().take_complaints().empty());
}

TEST(SettingsController, ASensorWithoutControlsStaysAndIsMarked) {
  std::vector<FakeCamera> all = cameras({{1, 1}});
  all.emplace_back(SettingsCaps(), Nanoseconds(0));
  FakeRig rig(std::move(all));
  rig.start();
  for (int n = 0; n < 4; ++n) rig.next();
  const std::uint32_t revision = rig.ask(exposure_of(milliseconds(11)));
  for (int n = 0; n < 6; ++n) EXPECT_FALSE(says_uniform(rig.next()));
  const auto batch = rig.next();
  EXPECT_EQ(batch[0].said.revision, revision);
  EXPECT_EQ(batch[1].said.revision, 0u);
  EXPECT_EQ(batch[1].said.state, SettingsState::unknown);
  rig.ask(exposure_of(milliseconds(12)));
  const auto complaints = rig.controller().take_complaints();
  ASSERT_EQ(complaints.size(), 1u);  // once, not with every change
  EXPECT_EQ(complaints[0].error.code, Errc::not_supported);
}

TEST(SettingsController, LostSensorsGetWhatWasAskedMeanwhile) {
  FakeRig rig(cameras({{2, 1}, {2, 1}}));
  rig.start();
  for (int n = 0; n < 4; ++n) rig.next();
  rig.controller().lost(1);
  for (int n = 0; n < 50; ++n) {
    rig.ask(both_of(milliseconds(2 + n % 9), 1 + n % 4));
    EXPECT_FALSE(says_uniform(rig.next({1})));
  }
  const std::uint32_t last = rig.ask(both_of(milliseconds(20), 3));
  rig.next({1});
  rig.controller().back(1);
  int uniform_from = -1;
  for (int n = 0; n < 12; ++n) {
    const auto batch = rig.next();
    EXPECT_LE(says_uniform(batch), is_uniform(batch)) << n;
    if (says_uniform(batch) && uniform_from < 0) {
      uniform_from = n;
      EXPECT_EQ(batch[1].said.revision, last);
    }
  }
  EXPECT_GE(uniform_from, 0);
  EXPECT_LE(uniform_from, 4);
}

TEST(SettingsController, WhatFoundASensorGoneComesBeforeWhatIsNewerOnceItIsBack) {
  FakeRig rig(cameras({{0, 0}, {2, 2}}));
  rig.start();
  for (int n = 0; n < 4; ++n) rig.next();
  rig.camera(0).lost_at = {rig.camera(0).num_writes};
  rig.ask(exposure_of(milliseconds(10)));
  rig.next();
  const std::uint32_t last = rig.ask(exposure_of(milliseconds(20)));
  for (int n = 0; n < 5; ++n) rig.next({0});
  rig.controller().lost(0);
  rig.next({0});
  rig.controller().back(0);
  for (int n = 0; n < 8; ++n) {
    const auto batch = rig.next();
    EXPECT_LE(says_uniform(batch), is_uniform(batch)) << n;
  }
  const auto batch = rig.next();
  EXPECT_TRUE(says_uniform(batch));
  EXPECT_EQ(batch[0].said.revision, last);
  EXPECT_EQ(batch[0].truth.exposure, milliseconds(20));
}

TEST(SettingsController, WhatIsAskedWhileNobodyWritesIsNotLateForWhatWasLate) {
  FakeRig rig(cameras({{4, 0}, {4, 0}}));
  rig.start();
  for (int n = 0; n < 5; ++n) rig.next();
  rig.ask(both_of(milliseconds(5), 2));
  rig.next();  // the exposure is written, the gain is not yet
  rig.blocked = true;
  for (int n = 0; n < 40; ++n) rig.next();
  rig.ask(both_of(milliseconds(8), 3));
  rig.next();
  rig.blocked = false;
  for (int n = 0; n < 2; ++n) rig.next();
  const std::uint32_t last = rig.ask(both_of(milliseconds(12), 4));
  for (int n = 0; n < 8; ++n) rig.next();
  for (int n = 0; n < 60; ++n) {
    const auto batch = rig.next();
    ASSERT_TRUE(says_uniform(batch)) << n;
    ASSERT_EQ(batch[0].said.revision, last) << n;
    ASSERT_EQ(batch[1].truth.analogue_gain, 4) << n;
  }
}

TEST(SettingsController, ChangesOfShortDelayDoNotOvertakeWhatIsLate) {
  FakeRig rig(cameras({{4, 0}, {4, 0}}));
  rig.start();
  for (int n = 0; n < 5; ++n) rig.next();
  rig.ask(both_of(milliseconds(5), 2));
  rig.next();  // the exposure is written, the gain is not yet
  rig.blocked = true;
  for (int n = 0; n < 7; ++n) rig.next();
  rig.blocked = false;
  rig.next();
  const std::uint32_t last = rig.ask(gain_of(7));
  for (int n = 0; n < 12; ++n) {
    const auto batch = rig.next();
    EXPECT_LE(says_uniform(batch), is_uniform(batch)) << n;
  }
  const auto batch = rig.next();
  EXPECT_EQ(batch[0].said.revision, last);
  EXPECT_EQ(batch[0].truth.analogue_gain, 7);
  EXPECT_EQ(batch[1].truth.exposure, milliseconds(5));
}

// Whatever is asked, lost, refused and late: what is said is true.
class RandomSettings : public testing::TestWithParam<unsigned> {};

TEST_P(RandomSettings, AreNeverCalledUniformUnlessTheyAre) {
  std::mt19937 random(GetParam());
  const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
  const bool reports = GetParam() % 2 == 1;
  std::vector<FakeCamera> all;
  for (int i = 0; i < 4; ++i) {
    SettingsCaps caps = caps_of(below(5), below(5));
    caps.reports = reports;
    all.emplace_back(caps, GetParam() % 3 == 0 ? milliseconds(below(15)) : milliseconds(0));
  }
  FakeRig rig(std::move(all));
  if (GetParam() % 4 >= 2) rig.noise = [&] { return microseconds(below(600) - 300); };
  for (int i = 0; i < 4; ++i)
    for (int n = 0; n < 2000; ++n)
      if (below(20) == 0) rig.camera(static_cast<std::size_t>(i)).refuses.insert(n);
  rig.start();
  int num_uniform = 0;
  int since_trouble = 0;
  for (int n = 0; n < 1500; ++n) {
    const bool calm = n % 100 >= 70;
    if (!calm && below(3) == 0)
      rig.ask(below(2) ? both_of(milliseconds(1 + below(30)), 1 + below(10))
                       : gain_of(1 + below(10)));
    rig.blocked = !calm && below(8) == 0;
    std::set<std::size_t> lost;
    for (std::size_t i = 0; i < 4; ++i)
      if (!calm && below(12) == 0) lost.insert(i);
    const auto batch = rig.next(lost);
    ASSERT_LE(says_uniform(batch), is_uniform(batch)) << n << [&] {
      std::string text;
      for (const auto& frame : batch)
        text += "\n  index " + std::to_string(frame.said.index) + " revision " +
                std::to_string(frame.said.revision) + " said " +
                settings_text(frame.said.settings) + " is " + settings_text(frame.truth);
      return text;
    }();
    num_uniform += says_uniform(batch);
    for (const auto& frame : batch)
      if (frame.present && frame.said.state == SettingsState::settled &&
          frame.said.settings.exposure > Nanoseconds(0)) {
        EXPECT_EQ(frame.said.settings.exposure, frame.truth.exposure) << n;
      }
    since_trouble = calm ? since_trouble + 1 : 0;
    // Once all is asked for again, and nothing refuses, it is uniform.
    if (since_trouble != 8) continue;
    for (std::size_t i = 0; i < 4; ++i) rig.camera(i).refuses.clear();
    rig.ask(both_of(milliseconds(1 + n % 30), 1 + n % 9));
    for (int more = 0; more < 9; ++more) rig.next();
    EXPECT_TRUE(says_uniform(rig.next())) << n;
  }
  EXPECT_GT(num_uniform, 100);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomSettings, testing::Range(1u, 25u));

}  // namespace
}  // namespace lockstep
