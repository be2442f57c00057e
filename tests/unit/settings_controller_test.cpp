// SPDX-License-Identifier: MIT
// Triggers, delays and writes as tables: which exposure has which settings is worked out by the test itself, and what
// the controller says of each frame is compared with it.
#include "core/settings_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>

#include "result_testing.h"
#include "settings_testing.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr Nanoseconds kPeriod = milliseconds(40);
constexpr Nanoseconds kReadyAfter = milliseconds(25);

SettingsCaps caps_of(int exposure_delay, int gain_delay) {
  SettingsCaps caps;
  caps[Setting::exposure] = SettingRange{1e3, 39e6, 0, exposure_delay};
  caps[Setting::analogue_gain] = SettingRange{1, 16, 0, gain_delay};
  return caps;
}

// A camera as it really is: values hold from the first exposure that begins after the write, and its delay, on.
class FakeCamera {
 public:
  FakeCamera(SettingsCaps caps, Nanoseconds phase) : caps_(std::move(caps)), phase_(phase) {}

  SettingsChange write(const SettingsChange& change, Nanoseconds now, bool streams) {
    std::int64_t next = streams ? std::max<std::int64_t>((now - phase_) / kPeriod - 1, 0) : 0;
    while (streams && start_of(next) <= now) ++next;
    SettingsChange taken;
    for (const Setting setting : kSettings) {
      if (!change[setting]) continue;
      taken[setting] =
          rounds_to > 0 ? std::round(*change[setting] / rounds_to) * rounds_to : *change[setting];
      writes_[static_cast<std::size_t>(setting)].push_back(
          {streams ? next + caps_[setting]->delay : 0, *taken[setting]});
    }
    if (shortens_exposure && change[Setting::analogue_gain]) {
      taken.set(Setting::exposure, milliseconds(5));
      writes_[static_cast<std::size_t>(Setting::exposure)].push_back(
          {streams ? next + caps_[Setting::exposure]->delay : 0, 5e6});
    }
    return taken;
  }

  Settings truth(std::int64_t exposure) const {
    Settings settings{milliseconds(10)};
    SettingsChange values;
    for (const Setting setting : kSettings)
      for (const auto& [from, value] : writes_[static_cast<std::size_t>(setting)])
        if (from <= exposure) values[setting] = value;
    apply_to(settings, values);
    return settings;
  }

  Nanoseconds start_of(std::int64_t exposure) const {
    const auto k = static_cast<std::size_t>(exposure);
    return phase_ + exposure * kPeriod + (k < jitter.size() ? jitter[k] : Nanoseconds(0));
  }
  const SettingsCaps& caps() const { return caps_; }

  double rounds_to = 0;
  Nanoseconds lag{0};               // of its capture times behind the start of exposure
  std::set<int> lost_at;            // writes by number at which it is found to be gone
  bool shortens_exposure = false;   // with each gain that is written, to 5 ms
  std::set<int> refuses;            // writes by number
  std::vector<Nanoseconds> jitter;  // by which exposures begin late
  int num_writes = 0;

 private:
  SettingsCaps caps_;
  Nanoseconds phase_;
  std::array<std::vector<std::pair<std::int64_t, double>>, kNumSettings> writes_;
};

// Runs cameras and the controller as a rig does, one instant after the other.
class FakeRig {
 public:
  struct FrameSeen {
    bool present = false;
    SettingsController::Exposed said;
    Settings truth;
  };
  using BatchSeen = std::vector<FrameSeen>;

  explicit FakeRig(std::vector<FakeCamera> cameras, Nanoseconds format_period = kPeriod)
      : cameras_(std::move(cameras)), controller_(all_caps(), format_period) {
    for (std::size_t i = 0; i < cameras_.size(); ++i)
      names_.push_back("camera" + std::to_string(i));
  }

  Result<std::uint32_t> request(const std::vector<SettingsChange>& changes) {
    return controller_.request(changes, names_);
  }
  std::uint32_t ask(const SettingsChange& change) {
    const auto revision = request({change});
    EXPECT_TRUE(succeeds(revision));
    return revision ? *revision : 0;
  }

  void start() {
    controller_.restart();
    write_until(now_, false);
    controller_.begin();
  }

  // The batch of one instant; frames of `lost` are not delivered. Writes are not made in the span that `blocked` is.
  BatchSeen next(const std::set<std::size_t>& lost = {}) {
    BatchSeen batch(cameras_.size());
    std::vector<std::optional<std::int64_t>> indexes(cameras_.size());
    Nanoseconds ready{0};
    for (std::size_t i = 0; i < cameras_.size(); ++i) {
      const Nanoseconds start = cameras_[i].start_of(instant_);
      ready = std::max(ready, start + ready_after);
    }
    if (!blocked) write_until(ready, true);
    now_ = ready;
    for (std::size_t i = 0; i < cameras_.size(); ++i) {
      if (lost.count(i)) continue;
      const bool reports = cameras_[i].caps().reports;
      batch[i].present = true;
      batch[i].truth = cameras_[i].truth(instant_);
      batch[i].said =
          controller_.exposed(i, cameras_[i].start_of(instant_) + cameras_[i].lag + noise(),
                              reference, reports ? batch[i].truth : Settings());
      indexes[i] = batch[i].said.index;
    }
    controller_.left_together(indexes);
    if (!blocked) write_until(now_, true);
    ++instant_;
    return batch;
  }

  SettingsController& controller() { return controller_; }
  FakeCamera& camera(std::size_t index) { return cameras_[index]; }
  Nanoseconds now() const { return now_; }

  std::function<Nanoseconds()> noise = [] { return Nanoseconds(0); };
  ReferencePoint reference = ReferencePoint::start_of_exposure;
  bool blocked = false;
  Nanoseconds ready_after = kReadyAfter;

 private:
  std::vector<SettingsCaps> all_caps() const {
    std::vector<SettingsCaps> caps;
    for (const FakeCamera& camera : cameras_) caps.push_back(camera.caps());
    return caps;
  }

  void write_until(Nanoseconds end, bool streams) {
    for (auto due = controller_.next_write(); due && *due <= end; due = controller_.next_write()) {
      now_ = std::max(now_, *due);
      while (auto write = controller_.take_write(now_)) {
        FakeCamera& camera = cameras_[write->sensor];
        if (camera.lost_at.count(camera.num_writes)) {
          ++camera.num_writes;
          controller_.written(*write, Error{Errc::device_lost, 19, "gone"}, now_, now_);
          continue;
        }
        if (camera.refuses.count(camera.num_writes++)) {
          controller_.written(*write, Error{Errc::io, 5, "the driver refuses"}, now_, now_);
          continue;
        }
        controller_.written(*write, camera.write(write->change, now_, streams), now_, now_);
      }
    }
  }

  std::vector<FakeCamera> cameras_;
  SettingsController controller_;
  std::vector<std::string> names_;
  Nanoseconds now_{0};
  std::int64_t instant_ = 0;
};

std::string settings_text(const Settings& settings) {
  return std::to_string(settings.exposure.count()) + " ns x " +
         std::to_string(settings.analogue_gain);
}

bool says_uniform(const FakeRig::BatchSeen& batch) {
  for (const auto& frame : batch)
    if (!frame.present || frame.said.state != SettingsState::settled ||
        frame.said.revision != batch[0].said.revision)
      return false;
  return true;
}

bool is_uniform(const FakeRig::BatchSeen& batch) {
  for (const auto& frame : batch)
    if (!frame.present || !(frame.truth == batch[0].truth)) return false;
  return true;
}

std::vector<FakeCamera> cameras(const std::vector<std::pair<int, int>>& delays) {
  std::vector<FakeCamera> all;
  for (const auto& [exposure, gain] : delays)
    all.emplace_back(caps_of(exposure, gain), Nanoseconds(0));
  return all;
}

TEST(SettingsController, AChangeHoldsFromOneInstantOnWhateverTheDelays) {
  FakeRig rig(cameras({{2, 1}, {0, 0}, {4, 2}, {1, 3}}));
  rig.start();
  for (int n = 0; n < 5; ++n) rig.next();
  const std::uint32_t revision = rig.ask(both_of(milliseconds(5), 2));
  int changed_after = 0;
  bool changed = false;
  for (int n = 0; n < 12; ++n) {
    const auto batch = rig.next();
    ASSERT_TRUE(is_uniform(batch)) << n;
    const bool has = batch[0].truth.exposure == milliseconds(5);
    EXPECT_EQ(batch[0].truth.analogue_gain, has ? 2 : 1) << n;
    for (const auto& frame : batch) {
      EXPECT_EQ(frame.said.revision, has ? revision : 0) << n;
      if (has) {
        EXPECT_EQ(frame.said.state, SettingsState::settled) << n;
      }
    }
    EXPECT_EQ(says_uniform(batch), has) << n;
    if (!changed && !has) ++changed_after;
    changed = changed || has;
  }
  // The largest delay is 4: four exposures that had begun or could no longer be met, then the change.
  EXPECT_EQ(changed_after, 4);
}

TEST(SettingsController, AskedBeforeTheStartItHoldsFromTheFirstFrame) {
  FakeRig rig(cameras({{2, 1}, {0, 3}}));
  const std::uint32_t revision = rig.ask(both_of(milliseconds(3), 4));
  rig.start();
  for (int n = 0; n < 4; ++n) {
    const auto batch = rig.next();
    EXPECT_TRUE(says_uniform(batch) && is_uniform(batch)) << n;
    EXPECT_EQ(batch[1].said.revision, revision);
    EXPECT_EQ(batch[1].said.settings.exposure, milliseconds(3));
    EXPECT_EQ(batch[1].said.settings.analogue_gain, 4);
  }
}

TEST(SettingsController, RevisionsOnEveryFrameEachHaveAnInstantOfTheirOwn) {
  FakeRig rig(cameras({{2, 1}, {1, 0}, {3, 3}}));
  rig.start();
  rig.next();
  std::uint32_t last = 0;
  for (int n = 0; n < 40; ++n) {
    rig.ask(both_of(milliseconds(1 + n % 7), 1 + n % 5));
    const auto batch = rig.next();
    ASSERT_TRUE(is_uniform(batch)) << n;
    const std::uint32_t before = std::exchange(last, batch[0].said.revision);
    if (n < 6) continue;
    EXPECT_TRUE(says_uniform(batch)) << n;
    EXPECT_EQ(last, before + 1) << n;
    EXPECT_EQ(batch[0].truth.exposure, milliseconds(1 + (last - 1) % 7)) << n;
  }
  EXPECT_EQ(rig.controller().late_writes(), 0u);
}

TEST(SettingsController, RevisionsThatComeFasterThanFramesDoNotQueueUp) {
  FakeRig rig(cameras({{2, 1}, {4, 0}}));
  rig.start();
  for (int n = 0; n < 3; ++n) rig.next();
  std::uint32_t last = 0;
  for (int n = 0; n < 100; ++n) {
    for (int more = 0; more < 5; ++more)
      last = rig.ask(both_of(milliseconds(1 + n % 30), 1 + more));
    const auto batch = rig.next();
    EXPECT_LE(says_uniform(batch), is_uniform(batch)) << n;
    if (n < 8) continue;
    // What was asked for last before the longest delay and a frame.
    EXPECT_TRUE(says_uniform(batch)) << n;
    EXPECT_GE(batch[0].said.revision, last - 5 * 6) << n;
  }
  // One write for each delay and frame, not five; some carry a number only.
  EXPECT_LE(rig.camera(0).num_writes, 100 * 3);
  for (int n = 0; n < 6; ++n) rig.next();
  EXPECT_EQ(rig.next()[1].said.revision, last);
}

TEST(SettingsController, FreeRunningSensorsChangeWithinOneBatchToo) {
  std::vector<FakeCamera> all;
  for (const auto phase : {0, 7, 13, 19}) all.emplace_back(caps_of(2, 1), milliseconds(phase));
  FakeRig rig(std::move(all));
  rig.start();
  for (int n = 0; n < 5; ++n) rig.next();
  for (int change = 0; change < 10; ++change) {
    const std::uint32_t revision = rig.ask(both_of(milliseconds(2 + change), 1 + change));
    bool seen = false;
    for (int n = 0; n < 6; ++n) {
      const auto batch = rig.next();
      EXPECT_TRUE(is_uniform(batch)) << change << " " << n;
      seen = seen || (says_uniform(batch) && batch[0].said.revision == revision);
    }
    EXPECT_TRUE(seen) << change;
  }
}

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

TEST(SettingsController, EndsOfFramesThatLastLongerThanTheFormatSaysAreNotMistaken) {
  std::vector<FakeCamera> all;
  for (const int lag_ms : {30, 64}) {
    SettingsCaps caps = caps_of(1, 0);
    caps[Setting::frame_duration] = SettingRange{1e6, 1e9, 0, 0};
    all.emplace_back(caps, Nanoseconds(0));
    all.back().lag = milliseconds(lag_ms);
  }
  FakeRig rig(std::move(all), milliseconds(12));
  rig.reference = ReferencePoint::end_of_frame;
  rig.ready_after = milliseconds(70);
  rig.ask(SettingsChange().set(Setting::frame_duration, kPeriod));
  rig.start();
  for (int n = 0; n < 30; ++n) rig.next();
  for (int change = 0; change < 10; ++change) {
    const std::uint32_t revision = rig.ask(both_of(milliseconds(4 + change), 1 + change));
    bool seen = false;
    for (int n = 0; n < 10; ++n) {
      const auto batch = rig.next();
      EXPECT_LE(says_uniform(batch), is_uniform(batch)) << change << " " << n;
      seen = seen || (says_uniform(batch) && batch[0].said.revision == revision);
    }
    EXPECT_TRUE(seen) << change;
  }
}

TEST(SettingsController, StampsOfTheEndOfAFrameMakeItLessCertainButNeverWrong) {
  FakeRig rig(cameras({{1, 0}, {2, 1}}));
  rig.reference = ReferencePoint::end_of_frame;
  rig.noise = [] { return milliseconds(22); };
  rig.start();
  for (int n = 0; n < 6; ++n) rig.next();
  for (int change = 0; change < 8; ++change) {
    const std::uint32_t revision = rig.ask(both_of(milliseconds(4 + change), 1 + change));
    bool seen = false;
    for (int n = 0; n < 9; ++n) {
      const auto batch = rig.next();
      EXPECT_LE(says_uniform(batch), is_uniform(batch)) << change << " " << n;
      seen = seen || (says_uniform(batch) && batch[0].said.revision == revision);
    }
    EXPECT_TRUE(seen) << change;
  }
}

TEST(SettingsController, ExposuresThatBeginEarlyAndLateAreNeverTakenForWhatTheyAreNot) {
  for (const unsigned most_ms : {12u, 22u}) {
    std::mt19937 random(most_ms);
    std::vector<FakeCamera> all;
    for (const auto& [exposure, gain] : std::vector<std::pair<int, int>>{{0, 0}, {1, 0}, {0, 2}})
      all.emplace_back(caps_of(exposure, gain), Nanoseconds(0));
    for (FakeCamera& camera : all)
      for (int k = 0; k < 2000; ++k) camera.jitter.push_back(milliseconds(random() % most_ms));
    FakeRig rig(std::move(all));
    rig.start();
    int uniform = 0;
    for (int n = 0; n < 1500; ++n) {
      if (n % 6 == 0) rig.ask(both_of(milliseconds(1 + n % 30), 1 + n % 7));
      const auto batch = rig.next();
      ASSERT_LE(says_uniform(batch), is_uniform(batch)) << most_ms << " " << n;
      uniform += says_uniform(batch);
    }
    EXPECT_GT(uniform, 200) << most_ms;
  }
}

TEST(SettingsController, NonsenseIsRefusedAsAWholeAndChangesNothing) {
  FakeRig rig(cameras({{1, 1}, {1, 1}}));
  rig.start();
  const double nan = std::nan("");
  for (const auto& [change, text] : std::vector<std::pair<SettingsChange, const char*>>{
           {gain_of(nan), "wanted a number above 0"},
           {gain_of(-1), "analogue-gain of -1"},
           {gain_of(0), "analogue-gain of 0"},
           {gain_of(16.1), "analogue-gain of 16.1, the sensor has 1 to 16"},
           {exposure_of(milliseconds(40)), "exposure of 40 ms, the sensor has 1 us to 39 ms"},
           {gain_of(HUGE_VAL), "wanted a number above 0"}}) {
    EXPECT_TRUE(fails(rig.request({change}), Errc::invalid_argument, text));
    EXPECT_TRUE(fails(rig.request({gain_of(2), change}), Errc::invalid_argument, "sensor 1"));
  }
  EXPECT_TRUE(fails(rig.request({SettingsChange().set(Setting::red_gain, 1)}), Errc::not_supported,
                    "no sensor has a control"));
  EXPECT_TRUE(fails(rig.request({gain_of(1), gain_of(1), gain_of(1)}), Errc::invalid_argument,
                    "for 3 sensors"));
  EXPECT_EQ(rig.controller().latest_revision(), 0u);
  for (int n = 0; n < 6; ++n) rig.next();
  EXPECT_EQ(rig.camera(0).num_writes, 0);
}

TEST(SettingsController, NothingIsWrittenThatIsSetAlready) {
  FakeRig rig(cameras({{1, 0}, {1, 0}}));
  rig.start();
  for (int n = 0; n < 4; ++n) rig.next();
  rig.ask(both_of(milliseconds(5), 2));
  for (int n = 0; n < 5; ++n) rig.next();
  const int before = rig.camera(0).num_writes;
  const std::uint32_t revision = rig.ask(both_of(milliseconds(5), 2));
  for (int n = 0; n < 5; ++n) rig.next();
  EXPECT_EQ(rig.next()[0].said.revision, revision);
  EXPECT_TRUE(says_uniform(rig.next()));
  // One that carries the number only, for those that paint it.
  EXPECT_EQ(rig.camera(0).num_writes, before + 1);
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
