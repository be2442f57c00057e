// SPDX-License-Identifier: MIT
// One light for whole rigs of the kernel's simulated cameras, whose brightness stands for the gain (see
// v4l2_settings_test.cpp). They run freely, each from its own start, and their clock is the scheduler's: it is told how
// far apart they change, and what must hold is that no batch claims more than its pixels show.
#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>

#include <map>

#include "camera.h"
#include "lockstep/rig.h"
#include "support/unique_fd.h"

namespace lockstep {
namespace {

using std::chrono::seconds;

constexpr std::size_t kCameras = 4;
const Format kFormat{PixelFormat::nv12, 320, 180, {15, 1}};
constexpr Nanoseconds kPeriod(66'666'667);
// A change is in force long before, on a machine that keeps up at all.
constexpr int kMostBatches = 60;

std::string device(std::size_t index) { return "/dev/video" + std::to_string(index); }

std::string lit(std::size_t index) {
  return "v4l2:" + device(index) +
         "?analogue-gain-control=Brightness&analogue-gain-unity=64&analogue-gain-delay=0";
}

std::string all_lit() {
  std::string names;
  for (std::size_t i = 0; i < kCameras; ++i) names += (i ? ";" : "") + lit(i);
  return names;
}

SettingsChange gain(double factor) { return SettingsChange().set(Setting::analogue_gain, factor); }

Result<std::unique_ptr<Rig>> start(const std::string& sensors, std::vector<RigEvent>* events) {
  auto specs = parse_sensor_list(sensors);
  if (!specs) return std::move(specs).error();
  RigConfig config;
  config.sensors = *std::move(specs);
  config.memory = "memfd";
  config.grouping.tolerance = kPeriod - Nanoseconds(1);
  config.grouping.max_wait = 2 * kPeriod;
  config.on_event = [events](const RigEvent& event) {
    if (event.kind != RigEvent::Kind::frames_dropped) events->push_back(event);
  };
  auto rig = Rig::open(std::move(config));
  if (!rig) return rig;
  if (auto configured = (*rig)->configure(kFormat); !configured)
    return std::move(configured).error();
  if (auto first = (*rig)->apply(gain(1)); !first) return std::move(first).error();
  if (auto started = (*rig)->start(); !started) return std::move(started).error();
  return rig;
}

// The first bar is 180 at a brightness of 128.
double shown_gain(const Frame& frame) {
  const int luma = std::to_integer<int>(frame.pixels->data[kFormat.width / 16]);
  return (luma - 180 + 128) / 64.0;
}

bool same(double a, double b) { return std::abs(a - b) < 0.06; }

// Holds if the batch claims no more than its pixels show.
void expect_honest(const Batch& batch) {
  std::optional<double> first;
  for (const Frame& frame : batch.frames) {
    if (frame.state != FrameState::fresh) {
      EXPECT_FALSE(batch.uniform) << "batch " << batch.number;
      continue;
    }
    const double shown = shown_gain(frame);
    if (frame.info.settings_state == SettingsState::settled) {
      EXPECT_NEAR(shown, frame.info.settings.analogue_gain, 0.06)
          << "batch " << batch.number << " slot " << frame.info.sensor;
    }
    if (!batch.uniform) continue;
    EXPECT_EQ(frame.info.settings_state, SettingsState::settled);
    EXPECT_EQ(frame.info.settings_revision, batch.frames[0].info.settings_revision);
    if (!first) first = shown;
    EXPECT_TRUE(same(shown, *first))
        << "batch " << batch.number << " is not uniform: " << shown << " and " << *first;
  }
}

// How one change of the gain went.
struct Step {
  std::int64_t spread = 0;   // batches from the first camera that shows it to the last
  std::int64_t batches = 0;  // from the call to the first uniform batch
};

// Changes the gain, and waits until a batch is uniform under it.
Result<Step> change_gain(Rig& rig, double wanted) {
  auto revision = rig.apply(gain(wanted));
  if (!revision) return std::move(revision).error();
  std::vector<std::optional<std::int64_t>> changed(rig.num_sensors());
  for (std::int64_t n = 1; n <= kMostBatches; ++n) {
    auto batch = rig.next_batch(seconds(10));
    if (!batch) return std::move(batch).error();
    expect_honest(*batch);
    for (std::size_t i = 0; i < changed.size(); ++i) {
      const Frame& frame = batch->frames[i];
      if (!changed[i] && frame.state == FrameState::fresh && same(shown_gain(frame), wanted))
        changed[i] = n;
    }
    if (!batch->uniform || batch->frames[0].info.settings_revision != *revision) continue;
    const auto [first, last] = std::minmax_element(changed.begin(), changed.end());
    if (!*first || !*last)
      return Error{Errc::io, 0, "uniform before every camera shows the change"};
    return Step{**last - **first, n};
  }
  return Error{Errc::timed_out, 0, "no batch is uniform under the new revision"};
}

class V4l2RigLight : public testing::Test {
 protected:
  void SetUp() override {
    for (std::size_t i = 0; i < kCameras; ++i) set_control(device(i), "Brightness", 100);
  }
  void TearDown() override {
    for (std::size_t i = 0; i < kCameras; ++i) {
      set_control(device(i), "Brightness", 128);
      set_control(device(i), "Timestamp Source", 0);
    }
  }

  std::vector<RigEvent> events;
};

class V4l2EveryStamp : public V4l2RigLight, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(V4l2, V4l2EveryStamp, testing::Values(1, 0), [](const auto& source) {
  return source.param ? "StartOfExposure" : "EndOfFrame";
});

TEST_P(V4l2EveryStamp, ChangesOfAllCamerasAreInOneBatchOrItIsNotUniform) {
  for (std::size_t i = 0; i < kCameras; ++i) set_control(device(i), "Timestamp Source", GetParam());
  auto rig = start(all_lit(), &events);
  ASSERT_TRUE(succeeds(rig));
  std::map<std::int64_t, int> spreads, batches;
  for (const double wanted : {1.5, 2.0, 1.25, 1.75, 1.0, 1.5, 1.0, 2.0, 1.25, 1.75}) {
    const auto step = change_gain(**rig, wanted);
    ASSERT_TRUE(succeeds(step));
    ++spreads[step->spread];
    ++batches[step->batches];
  }
  for (const auto& [spread, times] : spreads)
    std::printf("%2d of 10 changes spread over %lld batch(es) more\n", times,
                static_cast<long long>(spread));
  for (const auto& [count, times] : batches)
    std::printf("%2d of 10 changes uniform after %lld batches\n", times,
                static_cast<long long>(count));
  std::printf("late writes: %llu\n", static_cast<unsigned long long>((*rig)->stats().late_writes));
  RecordProperty("changes_in_one_batch", spreads[0]);
  RecordProperty("worst_spread", static_cast<int>(spreads.rbegin()->first));
  EXPECT_TRUE(events.empty());
}

TEST_F(V4l2RigLight, HoldsFromTheFirstFrameOn) {
  auto rig = start(all_lit(), &events);
  ASSERT_TRUE(succeeds(rig));
  for (int n = 0; n < 5; ++n) {
    auto batch = (*rig)->next_batch(seconds(10));
    ASSERT_TRUE(succeeds(batch));
    expect_honest(*batch);
    for (const Frame& frame : batch->frames) {
      if (frame.state != FrameState::fresh) continue;
      EXPECT_NEAR(shown_gain(frame), 1, 0.06);
    }
  }
}

TEST_F(V4l2RigLight, CameraWithoutAnyControlStaysAndNoBatchIsUniform) {
  auto rig = start(lit(0) + ";" + lit(1) + ";v4l2:/dev/video2", &events);
  ASSERT_TRUE(succeeds(rig));
  auto revision = (*rig)->apply(gain(1.5));
  ASSERT_TRUE(succeeds(revision));
  int unknown = 0, changed = 0;
  for (int n = 0; n < 20; ++n) {
    auto batch = (*rig)->next_batch(seconds(10));
    ASSERT_TRUE(succeeds(batch));
    expect_honest(*batch);
    EXPECT_FALSE(batch->uniform);
    for (const Frame& frame : batch->frames) {
      if (frame.state != FrameState::fresh) continue;
      if (frame.info.sensor < 2) {
        changed += same(shown_gain(frame), 1.5);
        continue;
      }
      EXPECT_EQ(frame.info.settings_state, SettingsState::unknown);
      ++unknown;
    }
  }
  EXPECT_GT(unknown, 0);
  EXPECT_GT(changed, 0);
  ASSERT_FALSE(events.empty());
  for (const RigEvent& event : events) {
    EXPECT_EQ(event.kind, RigEvent::Kind::no_settings) << event.error.what;
    EXPECT_EQ(event.sensor, 2u);
  }
}

// Another program has the priority over us on one camera: the kernel refuses our controls there.
TEST_F(V4l2RigLight, RefusedByOneCameraInMidStreamTheStreamGoesOn) {
  auto rig = start(all_lit(), &events);
  ASSERT_TRUE(succeeds(rig));
  ASSERT_TRUE(succeeds(change_gain(**rig, 1.5)));
  {
    UniqueFd other(open(device(2).c_str(), O_RDWR | O_CLOEXEC));
    std::uint32_t priority = V4L2_PRIORITY_RECORD;
    ASSERT_EQ(ioctl(other.get(), VIDIOC_S_PRIORITY, &priority), 0);
    auto revision = (*rig)->apply(gain(2));
    ASSERT_TRUE(succeeds(revision));
    int refused = 0;
    for (int n = 0; n < kMostBatches && refused < 5; ++n) {
      auto batch = (*rig)->next_batch(seconds(10));
      ASSERT_TRUE(succeeds(batch));
      expect_honest(*batch);
      const Frame& frame = batch->frames[2];
      if (frame.state != FrameState::fresh) continue;
      EXPECT_NEAR(shown_gain(frame), 1.5, 0.06);
      if (frame.info.settings_state != SettingsState::refused) continue;
      EXPECT_FALSE(batch->uniform);
      EXPECT_LT(frame.info.settings_revision, *revision);
      ++refused;
    }
    EXPECT_EQ(refused, 5);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, RigEvent::Kind::settings_refused);
    EXPECT_EQ(events[0].sensor, 2u);
    EXPECT_EQ(events[0].error.code, Errc::busy);
  }
  EXPECT_TRUE(succeeds(change_gain(**rig, 1.25)));
}

}  // namespace
}  // namespace lockstep
