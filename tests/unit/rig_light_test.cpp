// SPDX-License-Identifier: MIT
// One light in a whole rig on simulated sensors, whose stamps tell what each frame was really exposed with.
#include <gmock/gmock.h>

#include <cstring>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "rig_testing.h"
#include "sensor/sim/picture.h"
#include "settings_testing.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const std::string kSim = "sim?realtime=false&render=stamp";

SimStamp stamp_of(const Frame& frame) {
  SimStamp stamp;
  std::memcpy(&stamp, frame.pixels->data, sizeof stamp);
  return stamp;
}

// Whether all frames were really exposed alike.
bool is_uniform(const Batch& batch) {
  const auto same = [](const SimStamp& a, const SimStamp& b) {
    return a.exposure_ns == b.exposure_ns && a.analogue_gain == b.analogue_gain &&
           a.digital_gain == b.digital_gain && a.red_gain == b.red_gain &&
           a.blue_gain == b.blue_gain;
  };
  for (const Frame& frame : batch.frames)
    if (frame.state != FrameState::fresh || !same(stamp_of(frame), stamp_of(batch.frames[0])))
      return false;
  return true;
}

// Takes batches until one is uniform under the revision; how many came before. -1: too many.
int batches_until(Rig& rig, std::uint32_t revision) {
  for (int n = 0; n < 50; ++n) {
    const Batch batch = next(rig);
    EXPECT_LE(batch.uniform, is_uniform(batch)) << n;
    if (batch.uniform && batch.frames[0].info.settings_revision == revision) return n;
  }
  return -1;
}

std::string free_running(const std::string& more = "") {
  std::string sensors;
  const int drifts[] = {0, 100, -100, 50};
  const int phases[] = {0, 7'000, 16'000, 25'000};
  for (int i = 0; i < 4; ++i)
    sensors += (i ? ";" : "") + kSim +
               "&stamp-noise-us=300&drift-ppm=" + std::to_string(drifts[i]) +
               "&phase-us=" + std::to_string(phases[i]) + more;
  return sensors;
}

// What a rig told of its sensors.
struct Events {
  std::vector<RigEvent> all;

  void listen(RigConfig& config) {
    config.on_event = [this](const RigEvent& event) { all.push_back(event); };
  }
  std::size_t count(RigEvent::Kind kind) const {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const RigEvent& event) { return event.kind == kind; }));
  }
  std::string text(RigEvent::Kind kind) const {
    for (const RigEvent& event : all)
      if (event.kind == kind) return event.error.what;
    return "";
  }
};

TEST(RigLight, AChangeTakesEffectOnTheSameTriggerInEverySensor) {
  for (const std::string report : {"true", "false"}) {
    const std::string sim = kSim + "&report=" + report;
    auto rig = started(
        config_of(sim + "&control-delay=2;" + sim + "&exposure-delay=4&analogue-gain-delay=1;" +
                  sim + "&control-delay=0;" + sim + "&exposure-delay=1&analogue-gain-delay=3"));
    for (int n = 0; n < 3; ++n) next(*rig);
    for (int change = 1; change < 10; ++change) {
      const auto revision = rig->apply(both_of(milliseconds(2 * change), 1 + change));
      ASSERT_TRUE(succeeds(revision));
      // The largest delay is 4, and one exposure may have begun when the last batch left.
      EXPECT_LE(batches_until(*rig, *revision), 4 + 1) << report << " " << change;
      for (int n = 0; n < 3; ++n) {
        const Batch batch = next(*rig);
        EXPECT_TRUE(batch.uniform && is_uniform(batch));
        EXPECT_EQ(batch.frames[1].info.settings.exposure, milliseconds(2 * change));
        EXPECT_EQ(batch.frames[1].info.settings.analogue_gain, 1 + change);
      }
    }
    EXPECT_EQ(rig->stats().late_writes, 0u);
    EXPECT_EQ(rig->stats().revisions, 9u);
    EXPECT_GT(rig->stats().uniform, 30u);
  }
}

TEST(RigLight, WhatIsAskedBeforeTheStartHoldsFromTheFirstFrame) {
  for (const std::string report : {"true", "false"}) {
    auto rig = Rig::open(config_of(times(3, kSim + "&control-delay=5&report=" + report)));
    ASSERT_TRUE(succeeds(rig));
    EXPECT_TRUE(fails((*rig)->apply(exposure_of(milliseconds(3))), Errc::invalid_argument,
                      "not configured"));
    ASSERT_TRUE(succeeds((*rig)->configure(kSmall)));
    const auto revision = (*rig)->apply(both_of(milliseconds(3), 2));
    ASSERT_TRUE(succeeds(revision));
    ASSERT_TRUE(succeeds((*rig)->start()));
    EXPECT_EQ(batches_until(**rig, *revision), 0);
    // Over a stop and another format too.
    (*rig)->stop();
    ASSERT_TRUE(succeeds((*rig)->configure({PixelFormat::nv12, 64, 64, {60, 1}})));
    ASSERT_TRUE(succeeds((*rig)->start()));
    const Batch batch = next(**rig);
    EXPECT_TRUE(batch.uniform && is_uniform(batch));
    EXPECT_EQ(stamp_of(batch.frames[2]).exposure_ns, 3'000'000);
  }
}

TEST(RigLight, EveryFrameMayHaveARevisionOfItsOwn) {
  auto rig = started(
      config_of(kSim + "&control-delay=2;" + kSim + "&exposure-delay=3&report=false;" + kSim));
  next(*rig);
  std::uint32_t last = 0;
  int uniform = 0;
  for (int n = 0; n < 100; ++n) {
    ASSERT_TRUE(succeeds(rig->apply(both_of(milliseconds(1 + n % 20), 1 + n % 10))));
    const Batch batch = next(*rig);
    EXPECT_LE(batch.uniform, is_uniform(batch)) << n;
    if (n < 8) continue;
    EXPECT_TRUE(batch.uniform) << n;
    EXPECT_GT(batch.frames[0].info.settings_revision, last);
    last = batch.frames[0].info.settings_revision;
    EXPECT_EQ(stamp_of(batch.frames[0]).exposure_ns, (1 + (last - 1) % 20) * 1'000'000) << n;
    ++uniform;
  }
  EXPECT_EQ(uniform, 92);
}

// Batches come as exposures end: short and long ones by turns make two changes within one frame, and none in the next.
TEST(RigLight, ChangesOnEveryBatchAreEachSeenOrCountedAsSuperseded) {
  for (const int changes : {1, 3}) {
    for (const auto& turns : {std::vector{1, 30}, std::vector{2, 5, 10, 20}}) {
      auto rig = started(config_of(times(2, kSim)));
      std::set<std::uint32_t> seen;
      const auto take = [&] {
        const Batch batch = next(*rig);
        EXPECT_LE(batch.uniform, is_uniform(batch));
        if (batch.uniform) seen.insert(batch.frames[0].info.settings_revision);
      };
      for (int n = 0; n < 120; ++n) {
        take();
        for (int more = 0; more < changes; ++more) {
          const int ms = turns[static_cast<std::size_t>(n) % turns.size()];
          ASSERT_TRUE(succeeds(rig->apply(both_of(milliseconds(ms), 1 + more))));
        }
      }
      for (int n = 0; n < 8; ++n) take();
      seen.erase(0);
      const RigStats stats = rig->stats();
      EXPECT_EQ(stats.revisions, 120u * static_cast<unsigned>(changes));
      EXPECT_EQ(seen.size() + stats.superseded, stats.revisions) << changes << " " << turns.size();
      EXPECT_EQ(stats.superseded > 0, changes > 1);
    }
  }
}

TEST(RigLight, AnExposureLongerThanTheFrameIsRefusedWhetherOrNotItWouldBeReported) {
  for (const std::string report : {"true", "false"}) {
    auto rig = started(config_of(times(2, kSim + "&report=" + report)));
    EXPECT_TRUE(fails(rig->apply(exposure_of(milliseconds(60))), Errc::invalid_argument,
                      "longer than frame-duration 33.3333 ms"));
    EXPECT_EQ(rig->stats().refused_settings, 1u);
    const SettingsChange each[] = {exposure_of(milliseconds(10)), exposure_of(milliseconds(60))};
    EXPECT_TRUE(fails(rig->check_settings(each), Errc::invalid_argument, "sensor 1"));
    EXPECT_EQ(rig->stats().refused_settings, 1u);
    const auto revision =
        rig->apply(exposure_of(milliseconds(60)).set(Setting::frame_duration, milliseconds(70)));
    ASSERT_TRUE(succeeds(revision));
    EXPECT_GE(batches_until(*rig, *revision), 0) << report;
    EXPECT_EQ(stamp_of(next(*rig).frames[1]).exposure_ns, 60'000'000);
    EXPECT_EQ(rig->stats().refused_settings, 1u);
  }
}

TEST(RigLight, WhatNoLongerFitsIntoTheFramesOfANewRateIsLeftOut) {
  Events events;
  RigConfig config = config_of(times(2, kSim + "&report=false"));
  events.listen(config);
  auto rig = started(std::move(config), {PixelFormat::nv12, 160, 96, {10, 1}});
  ASSERT_TRUE(succeeds(rig->apply(both_of(milliseconds(80), 3))));
  for (int n = 0; n < 6; ++n) next(*rig);
  rig->stop();
  ASSERT_TRUE(succeeds(rig->configure(kSmall)));
  EXPECT_EQ(events.count(RigEvent::Kind::light_refused), 1u);
  EXPECT_THAT(events.text(RigEvent::Kind::light_refused), HasSubstr("frame-duration 33.3333 ms"));
  ASSERT_TRUE(succeeds(rig->start()));
  EXPECT_EQ(stamp_of(next(*rig).frames[1]).analogue_gain, 3);
  EXPECT_EQ(rig->stats().refused_settings, 1u);
}

TEST(RigLight, ExposuresThatOverlapTheReadoutAreCountedRight) {
  const std::string sim = kSim + "&readout-us=20000&report=false";
  auto rig = started(config_of(times(2, sim + "&exposure-us=30000")));
  for (int n = 0; n < 5; ++n) next(*rig);
  for (int change = 0; change < 6; ++change) {
    const auto revision = rig->apply(both_of(milliseconds(25 + change), 1 + change));
    ASSERT_TRUE(succeeds(revision));
    EXPECT_LE(batches_until(*rig, *revision), 5);
  }
}

// Unequal delays, lost and damaged frames, jitter, stamps that are off, a sensor that is unplugged, one that refuses.
class RigLightInTrouble : public testing::TestWithParam<int> {};

TEST_P(RigLightInTrouble, IsNeverCalledUniformUnlessItIs) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::string sensors;
  for (int i = 0; i < 4; ++i) {
    sensors += (i ? ";" : "") + kSim + "&seed=" + std::to_string(GetParam()) +
               "&exposure-delay=" + std::to_string(below(4)) +
               "&analogue-gain-delay=" + std::to_string(below(4)) +
               "&drop=0.03&corrupt=0.01&report=" + (below(2) ? "true" : "false");
    if (GetParam() % 2) sensors += "&stamp-noise-us=300";
    if (GetParam() % 3 == 0) sensors += "&phase-us=" + std::to_string(below(12'000));
    if (i == 1 && GetParam() % 4 < 2) sensors += "&unplug-at=4000&unplug-for=2000";
    if (i == 2 && GetParam() % 4 > 1) sensors += "&refuse-at=3000&refuse-for=1500";
  }
  auto rig = started(config_of(sensors));
  int uniform = 0;
  for (int n = 0; n < 600; ++n) {
    if (below(4) == 0) {
      const auto asked = rig->apply(below(2) ? both_of(milliseconds(1 + below(30)), 1 + below(8))
                                             : exposure_of(milliseconds(1 + below(30))));
      ASSERT_TRUE(succeeds(asked));
    }
    const Batch batch = next(*rig);
    ASSERT_LE(batch.uniform, is_uniform(batch)) << n;
    uniform += batch.uniform;
  }
  EXPECT_GT(uniform, 100);
  // When all is well again a change reaches everyone.
  for (int attempt = 0; attempt < 20; ++attempt) {
    const auto revision = rig->apply(both_of(milliseconds(2 + attempt), 2));
    ASSERT_TRUE(succeeds(revision));
    if (batches_until(*rig, *revision) >= 0) return;
  }
  FAIL() << "never uniform again";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RigLightInTrouble, testing::Range(1, 13));

TEST(RigLight, ADriverThatRefusesIsToldAndTheStreamGoesOn) {
  Events events;
  RigConfig config = config_of(kSim + ";" + kSim + "&refuse-at=300&refuse-for=60000");
  events.listen(config);
  auto rig = started(std::move(config));
  const auto first = rig->apply(exposure_of(milliseconds(4)));
  for (int n = 0; n < 20; ++n) next(*rig);
  const auto second = rig->apply(exposure_of(milliseconds(8)));
  for (int n = 0; n < 10; ++n) next(*rig);
  const Batch batch = next(*rig);
  EXPECT_FALSE(batch.uniform);
  EXPECT_EQ(batch.frames[0].info.settings_revision, *second);
  EXPECT_EQ(batch.frames[1].info.settings_revision, *first);
  EXPECT_EQ(batch.frames[1].info.settings_state, SettingsState::refused);
  EXPECT_EQ(batch.frames[1].info.settings.exposure, milliseconds(4));
  EXPECT_EQ(stamp_of(batch.frames[1]).exposure_ns, 4'000'000);
  EXPECT_EQ(events.count(RigEvent::Kind::settings_refused), 1u);
  EXPECT_THAT(events.text(RigEvent::Kind::settings_refused), HasSubstr("refuses"));
  EXPECT_EQ(rig->stats().refused_settings, 1u);
}

TEST(RigLight, ASensorWithoutControlsStaysIsToldOnceAndIsMarked) {
  Events events;
  RigConfig config = config_of(kSim + ";" + kSim + "&controls=none&report=false");
  events.listen(config);
  auto rig = started(std::move(config));
  for (int n = 0; n < 20; ++n) {
    ASSERT_TRUE(succeeds(rig->apply(exposure_of(milliseconds(2 + n)))));
    const Batch batch = next(*rig);
    EXPECT_FALSE(batch.uniform);
    EXPECT_EQ(batch.frames[1].state, FrameState::fresh);
    EXPECT_EQ(batch.frames[1].info.settings_state, SettingsState::unknown);
  }
  EXPECT_EQ(events.count(RigEvent::Kind::no_settings), 1u);
  EXPECT_THAT(events.text(RigEvent::Kind::no_settings), HasSubstr("exposure"));
  EXPECT_EQ(rig->stats().sensors[1].frames, 20u);
}

TEST(RigLight, SettingsThatOneSensorLacksOutliveANewFormatAndOverrides) {
  Events events;
  RigConfig config = config_of(kSim + ";" + kSim + "&controls=exposure");
  events.listen(config);
  auto rig = started(std::move(config));
  ASSERT_TRUE(succeeds(rig->apply(both_of(milliseconds(3), 2))));
  for (int n = 0; n < 6; ++n) next(*rig);
  rig->stop();
  ASSERT_TRUE(succeeds(rig->configure({PixelFormat::nv12, 64, 64, {60, 1}})));
  ASSERT_TRUE(succeeds(rig->start()));
  Batch batch = next(*rig);
  EXPECT_EQ(stamp_of(batch.frames[0]).analogue_gain, 2);
  EXPECT_EQ(stamp_of(batch.frames[1]).exposure_ns, 3'000'000);
  EXPECT_FALSE(batch.uniform);
  EXPECT_EQ(batch.frames[1].info.settings_state, SettingsState::refused);

  LightConfig light;
  light.overrides.resize(2);
  light.overrides[0] = exposure_of(milliseconds(7));
  ASSERT_TRUE(succeeds(rig->set_light(light)));
  ASSERT_TRUE(succeeds(rig->apply(SettingsChange().set(Setting::analogue_gain, 4))));
  for (int n = 0; n < 8; ++n) batch = next(*rig);
  EXPECT_EQ(stamp_of(batch.frames[0]).exposure_ns, 7'000'000);
  EXPECT_EQ(stamp_of(batch.frames[0]).analogue_gain, 4);
  EXPECT_FALSE(batch.uniform);
  EXPECT_EQ(events.count(RigEvent::Kind::light_refused), 0u);
}

TEST(RigLight, AnOverrideThatIsRefusedDoesNotRefuseWhatIsAskedLater) {
  auto rig = started(config_of(times(2, kSim)));
  next(*rig);
  LightConfig light;
  light.overrides.resize(2);
  light.overrides[1].set(Setting::analogue_gain, 99);
  EXPECT_TRUE(
      fails(rig->set_light(light), Errc::invalid_argument, "sensor 1: analogue-gain of 99"));
  light.overrides[1] = exposure_of(milliseconds(40));
  EXPECT_TRUE(fails(rig->set_light(light), Errc::invalid_argument, "longer than frame-duration"));
  EXPECT_EQ(rig->light(), LightConfig());
  EXPECT_EQ(rig->stats().refused_settings, 2u);
  const auto revision = rig->apply(both_of(milliseconds(4), 3));
  ASSERT_TRUE(succeeds(revision));
  EXPECT_GE(batches_until(*rig, *revision), 0);
}

TEST(RigLight, ASensorThatAWriteFindsGoneComesBackWithWhatWasAsked) {
  for (const std::string clock : {"", "&realtime=false"}) {
    const std::string sim = "sim?render=stamp&exposure-us=2000&readout-us=1000" + clock;
    auto rig = started(config_of(sim + ";" + sim + "&unplug-at=300&unplug-for=300"),
                       {PixelFormat::nv12, 64, 64, {100, 1}});
    std::uint32_t last = 0;
    for (int n = 0; n < 150; ++n) {
      // Frames and writes wait together, so that a write is what finds it gone.
      if (clock.empty() && n == 20) std::this_thread::sleep_for(milliseconds(400));
      const auto revision =
          rig->apply(both_of(std::chrono::microseconds(1000 + 10 * n), 1 + n % 8));
      ASSERT_TRUE(succeeds(revision));
      last = *revision;
      const Batch batch = next(*rig);
      EXPECT_LE(batch.uniform, is_uniform(batch)) << n;
    }
    EXPECT_FALSE(rig->stats().sensors[1].lost) << clock;
    EXPECT_GE(batches_until(*rig, last), 0) << clock;
  }
}

TEST(RigLight, FrameDurationsGoBackOnceSensorsAreNoLongerHeldTogether) {
  RigConfig config = config_of(free_running());
  config.light.align_exposures = true;
  auto rig = started(std::move(config), {PixelFormat::gray8, 32, 32, {30, 1}});
  for (int n = 0; n < 20; ++n) next(*rig);
  EXPECT_NE(stamp_of(next(*rig).frames[2]).frame_duration_ns, 33'333'333);
  ASSERT_TRUE(succeeds(rig->set_light({})));
  for (int n = 0; n < 8; ++n) next(*rig);
  for (const Frame& frame : next(*rig).frames)
    EXPECT_NEAR(static_cast<double>(stamp_of(frame).frame_duration_ns), 33'333'333, 1);
}

TEST(RigLight, WhatNobodyCanDoIsRefusedAndChangesNothing) {
  auto rig = started(config_of(kSim + ";" + kSim + "&exposure-max-us=20000"));
  next(*rig);
  EXPECT_TRUE(fails(rig->apply(exposure_of(milliseconds(25))), Errc::invalid_argument,
                    "set sensor 1 (sim"));
  EXPECT_TRUE(fails(rig->apply(exposure_of(milliseconds(-1))), Errc::invalid_argument, "above 0"));
  EXPECT_TRUE(
      fails(rig->apply(std::vector<SettingsChange>(3)), Errc::invalid_argument, "3 sensors"));
  EXPECT_TRUE(
      fails(rig->apply(std::vector<SettingsChange>()), Errc::invalid_argument, "0 sensors"));
  EXPECT_EQ(rig->stats().refused_settings, 4u);
  LightConfig light;
  light.target = 2;
  EXPECT_TRUE(fails(rig->set_light(light), Errc::invalid_argument, "light-target"));
  light = {};
  light.leader = 2;
  EXPECT_TRUE(fails(rig->set_light(light), Errc::invalid_argument, "leader"));
  light = {};
  light.weights = {1, std::nan("")};
  EXPECT_TRUE(fails(rig->set_light(light), Errc::invalid_argument, "weight"));
  for (int n = 0; n < 5; ++n) EXPECT_EQ(next(*rig).frames[0].info.settings_revision, 0u);
  EXPECT_EQ(rig->light(), LightConfig());
}

TEST(RigLight, OverridesHoldWhateverElseIsAsked) {
  RigConfig config = config_of(times(3, kSim));
  config.light.overrides.resize(3);
  config.light.overrides[1] = exposure_of(milliseconds(7));
  auto rig = started(std::move(config));
  const auto revision = rig->apply(both_of(milliseconds(3), 2));
  ASSERT_TRUE(succeeds(revision));
  for (int n = 0; n < 6; ++n) next(*rig);
  Batch batch = next(*rig);
  EXPECT_TRUE(batch.uniform);
  EXPECT_EQ(stamp_of(batch.frames[0]).exposure_ns, 3'000'000);
  EXPECT_EQ(stamp_of(batch.frames[1]).exposure_ns, 7'000'000);
  EXPECT_EQ(stamp_of(batch.frames[1]).analogue_gain, 2);
  // Taken away again, it has what was asked of all.
  ASSERT_TRUE(succeeds(rig->set_light({})));
  for (int n = 0; n < 6; ++n) next(*rig);
  batch = next(*rig);
  EXPECT_TRUE(batch.uniform && is_uniform(batch));
  EXPECT_EQ(stamp_of(batch.frames[1]).exposure_ns, 3'000'000);
}

// Answers what it is told to.
class Answering : public LightAlgorithm {
 public:
  using Answer = std::function<std::vector<SettingsChange>(const LightReport&)>;
  explicit Answering(Answer answer) : answer_(std::move(answer)) {}
  std::vector<SettingsChange> decide(const LightReport& report) override { return answer_(report); }

 private:
  Answer answer_;
};

RigConfig with_algorithm(RigConfig config, Answering::Answer answer) {
  config.light.mode = LightMode::application;
  config.algorithm = std::make_shared<Answering>(std::move(answer));
  return config;
}

TEST(RigLight, TheUsersAlgorithmIsAskedOncePerBatchAndObeyed) {
  int asked = 0;
  auto rig = started(
      with_algorithm(config_of(times(2, "sim?realtime=false")), [&](const LightReport& report) {
        EXPECT_EQ(report.batch, static_cast<std::uint64_t>(asked++));
        EXPECT_EQ(report.sensors.size(), 2u);
        EXPECT_EQ(report.frame_period, Nanoseconds(33'333'333));
        for (const auto& sensor : report.sensors) {
          EXPECT_TRUE(sensor.metering && sensor.caps->has_any());
          EXPECT_GT(sensor.metering->trimmed_mean, 0);
        }
        return asked == 3 ? std::vector{both_of(milliseconds(5), 2)}
                          : std::vector<SettingsChange>();
      }));
  Batch batch;
  for (int n = 0; n < 10; ++n) batch = next(*rig);
  EXPECT_EQ(asked, 10);
  EXPECT_TRUE(batch.uniform);
  EXPECT_TRUE(batch.frames[1].metering);
  EXPECT_EQ(batch.frames[1].info.settings_revision, 1u);
  EXPECT_EQ(batch.frames[1].info.settings.exposure, milliseconds(5));
}

TEST(RigLight, AnAlgorithmThatThrowsOrAnswersNonsenseChangesNothing) {
  const auto throwing = [](const LightReport&) -> std::vector<SettingsChange> {
    throw std::runtime_error("no idea");
  };
  const auto odd_throwing = [](const LightReport&) -> std::vector<SettingsChange> { throw 7; };
  const auto nonsense = [](const LightReport&) {
    return std::vector{exposure_of(milliseconds(5)).set(Setting::analogue_gain, std::nan(""))};
  };
  const auto too_many = [](const LightReport&) { return std::vector<SettingsChange>(5); };
  const std::vector<std::pair<Answering::Answer, const char*>> all = {{throwing, "no idea"},
                                                                      {odd_throwing, "threw"},
                                                                      {nonsense, "analogue-gain"},
                                                                      {too_many, "5 sensors"}};
  for (const auto& [answer, text] : all) {
    Events events;
    RigConfig config = with_algorithm(config_of(times(2, kSim)), answer);
    events.listen(config);
    auto rig = started(std::move(config));
    for (int n = 0; n < 20; ++n) EXPECT_EQ(next(*rig).frames[0].info.settings_revision, 0u);
    EXPECT_EQ(events.count(RigEvent::Kind::light_refused), 1u);  // at most once a second
    EXPECT_THAT(events.text(RigEvent::Kind::light_refused), HasSubstr(text));
    EXPECT_EQ(rig->stats().refused_settings, 20u);
  }
}

TEST(RigLight, SettingsMayBeAskedFromAnyThreadOnTheRealClock) {
  const Format fast{PixelFormat::nv12, 64, 64, {120, 1}};
  auto rig =
      started(config_of(times(4, "sim?render=stamp&exposure-us=1000&readout-us=1000")), fast);
  std::atomic<bool> done = false;
  std::thread asking([&] {
    for (int n = 0; n < 40; ++n) {
      EXPECT_TRUE(
          succeeds(rig->apply(both_of(std::chrono::microseconds(500 + 10 * n), 1 + n % 8))));
      EXPECT_EQ(rig->settings_caps().size(), 4u);
      rig->wanted_settings();
      EXPECT_TRUE(succeeds(rig->set_light({.target = 0.2})));
      std::this_thread::sleep_for(milliseconds(5));
    }
    done = true;
  });
  while (!done) {
    const Batch batch = next(*rig);
    EXPECT_LE(batch.uniform, is_uniform(batch));
  }
  asking.join();
  // With a machine that keeps up it is uniform at once; with one that does not, in a while.
  const auto revision = rig->apply(both_of(milliseconds(2), 3));
  ASSERT_TRUE(succeeds(revision));
  bool uniform = false;
  for (int n = 0; n < 600 && !uniform; ++n) {
    const Batch batch = next(*rig);
    EXPECT_LE(batch.uniform, is_uniform(batch));
    uniform = batch.uniform && batch.frames[0].info.settings_revision == *revision;
  }
  EXPECT_TRUE(uniform);
}

TEST(RigLight, CamerasThatDoNotTellTheirSettingsAreMeteredOnceTheyAreSetToSome) {
  for (const LightMode mode : {LightMode::shared, LightMode::independent}) {
    RigConfig config = config_of(times(2, "sim?realtime=false&render=scene&report=false&light=1"));
    config.light.mode = mode;
    auto rig = started(std::move(config));
    Batch batch;
    for (int n = 0; n < 60; ++n) batch = next(*rig);
    EXPECT_TRUE(batch.uniform);
    for (const Frame& frame : batch.frames)
      EXPECT_NEAR(frame.metering->trimmed_mean, 0.16, 0.016) << to_string(mode);
  }
}

// Latest true start of exposure minus the earliest.
Nanoseconds true_skew(const Batch& batch) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t most = std::numeric_limits<std::int64_t>::min();
  for (const Frame& frame : batch.frames) {
    if (!frame.pixels) continue;
    least = std::min(least, stamp_of(frame).exposed_ns);
    most = std::max(most, stamp_of(frame).exposed_ns);
  }
  return Nanoseconds(most - least);
}

// The worst true skew from 10 s on, over so many batches at 30 fps.
Nanoseconds worst_skew(const std::string& more, int batches) {
  RigConfig config = config_of(free_running(more));
  config.light.align_exposures = true;
  auto rig = started(std::move(config), {PixelFormat::gray8, 32, 32, {30, 1}});
  Nanoseconds worst{0};
  for (int n = 0; n < batches; ++n) {
    const Batch batch = next(*rig);
    if (n >= 300) worst = std::max(worst, true_skew(batch));
  }
  EXPECT_LT(rig->stats().dropped_batches, 10u);
  std::printf("true skew from 10 s to %d s%s: %.1f us at most\n", batches / 30, more.c_str(),
              static_cast<double>(worst.count()) / 1e3);
  return worst;
}

TEST(RigLight, FreeRunningSensorsAreHeldTogetherForAnHour) {
  EXPECT_LT(worst_skew("", 3600 * 30), std::chrono::microseconds(100));
}

TEST(RigLight, FreeRunningSensorsAreHeldTogetherByStepsAndWithoutTellingTheirSettings) {
  EXPECT_LT(worst_skew("&report=false&frame-duration-step-us=14.8", 600 * 30),
            std::chrono::microseconds(100));
}

TEST(RigLight, LeftAloneTheyRunApart) {
  auto rig = started(config_of(free_running()), {PixelFormat::gray8, 32, 32, {30, 1}});
  Nanoseconds worst{0};
  for (int n = 0; n < 1000; ++n) worst = std::max(worst, true_skew(next(*rig)));
  EXPECT_GT(worst, milliseconds(5));
}

}  // namespace
}  // namespace lockstep
