// SPDX-License-Identifier: MIT
// The promises of lockstep/sensor.h, kept by every sensor that can be opened here.
#include "lockstep/sensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <thread>

#include "sensor_bench.h"

namespace lockstep {
namespace {

// A sensor's name, and whether it must be there.
struct Candidate {
  std::string name;
  bool required = false;
};

// What each backend finds, the simulator's other ways of working, and what the environment names.
std::vector<Candidate> candidates() {
  std::vector<Candidate> all = {{"sim?delivery=lend", true},
                                {"sim?realtime=false", true},
                                {"sim?realtime=false&delivery=lend", true}};
  for (const SensorBackend* backend : sensor_backends()) {
    const auto names = backend->list();
    for (const std::string& name : names) all.push_back({name, backend->name() == "sim"});
    if (names.empty()) all.push_back({std::string(backend->name()), false});
  }
  const char* more = std::getenv("LOCKSTEP_TEST_SENSORS");
  if (more == nullptr) return all;
  const auto specs = parse_sensor_list(more);
  if (!specs) all.push_back({more, true});  // Fails with the reason.
  for (const SensorSpec& spec : specs ? *specs : std::vector<SensorSpec>())
    all.push_back({to_string(spec), true});
  return all;
}

std::string test_name(const testing::TestParamInfo<Candidate>& tested) {
  std::string name;
  for (char c : tested.param.name) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return std::to_string(tested.index) + "_" + name;
}

// Something small and fast out of the first offer.
Format a_format(const SensorInfo& info) {
  const auto nearest = [](const SizeRange& range, std::uint32_t wanted) {
    const std::uint32_t side = std::clamp(wanted, range.min, range.max);
    return side - (side - range.min) % std::max(range.step, 1u);
  };
  const FormatOffer& offer = info.formats.front();
  Format format{offer.pixel_format, nearest(offer.width, 320), nearest(offer.height, 180), {30, 1}};
  for (const RateRange& rate : offer.rates)
    if (format.framerate < rate.max || !allows(offer, format)) format.framerate = rate.max;
  return format;
}

class SensorContract : public testing::TestWithParam<Candidate> {
 protected:
  void SetUp() override {
    auto opened = SensorBench::open(GetParam().name);
    if (!opened && !GetParam().required) GTEST_SKIP() << opened.error().what;
    ASSERT_TRUE(succeeds(opened));
    bench_ = *std::move(opened);
    format_ = a_format((*bench_)->describe());
  }

  SensorBench& bench() { return *bench_; }
  Sensor& sensor() { return **bench_; }

  void start(std::size_t num_slots = 4) {
    ASSERT_TRUE(succeeds(bench().set_up(format_, num_slots)));
    ASSERT_TRUE(succeeds(bench().start()));
  }

  std::unique_ptr<SensorBench> bench_;
  Format format_;
};

TEST_P(SensorContract, DescribesItself) {
  const SensorInfo info = sensor().describe();
  EXPECT_FALSE(info.name.empty());
  EXPECT_FALSE(info.description.empty());
  ASSERT_FALSE(info.formats.empty());
  for (const FormatOffer& offer : info.formats) {
    EXPECT_LE(offer.width.min, offer.width.max) << to_string(offer);
    EXPECT_LE(offer.height.min, offer.height.max) << to_string(offer);
    EXPECT_GE(offer.width.min, 1u) << to_string(offer);
    EXPECT_LE(offer.width.max, kMaxSide) << to_string(offer);
    for (const RateRange& rate : offer.rates) EXPECT_FALSE(rate.max < rate.min);
  }
  for (const ControlInfo& control : info.controls) {
    EXPECT_FALSE(control.name.empty());
    EXPECT_LE(control.min, control.max) << control.name;
  }
  EXPECT_FALSE(info.io.empty());
}

TEST_P(SensorContract, TakesTheFormatThatItOffers) {
  ASSERT_TRUE(succeeds(bench().set_up(format_)));
  const SensorStream& stream = bench().stream();
  const auto tight = default_layout(format_.pixel_format, format_.width, format_.height);
  ASSERT_EQ(stream.layout.num_planes, tight->num_planes);
  for (std::size_t p = 0; p < tight->num_planes; ++p) {
    EXPECT_EQ(stream.layout.planes[p].rows, tight->planes[p].rows);
    EXPECT_EQ(stream.layout.planes[p].row_bytes, tight->planes[p].row_bytes);
    EXPECT_GE(stream.layout.planes[p].stride_bytes, tight->planes[p].row_bytes);
  }
  EXPECT_GE(stream.slot_bytes, stream.layout.size_bytes);
  EXPECT_FALSE(stream.io.empty());
}

TEST_P(SensorContract, RefusesAFormatThatItDoesNotOffer) {
  Format format{PixelFormat::rgb, kMaxSide, kMaxSide, {1, 1}};
  for (const FormatOffer& offer : sensor().describe().formats)
    if (allows(offer, format)) return;
  EXPECT_TRUE(fails(bench().set_up(format), Errc::not_supported));
}

TEST_P(SensorContract, DeliversAsManyFramesAsAreTaken) {
  for (int count : {1, 2, 3, 5, 8, 89}) {
    start();
    for (int i = 0; i < count; ++i) {
      auto frame = bench().next();
      ASSERT_TRUE(succeeds(frame)) << i << " of " << count;
      EXPECT_TRUE(succeeds(bench().give_back(*std::move(frame))));
    }
    sensor().stop();
  }
}

TEST_P(SensorContract, SequenceAndCaptureTimeRise) {
  start();
  std::optional<FrameInfo> last;
  for (int i = 0; i < 30; ++i) {
    auto frame = bench().next();
    ASSERT_TRUE(succeeds(frame));
    if (last) {
      EXPECT_EQ(frame->info.sequence, last->sequence + 1 + frame->skipped);
      EXPECT_GT(frame->info.captured.since_epoch, last->captured.since_epoch);
    }
    last = frame->info;
    EXPECT_TRUE(succeeds(bench().give_back(*std::move(frame))));
  }
}

TEST_P(SensorContract, FramesTellTheirTimes) {
  start();
  const auto frame = bench().next();
  ASSERT_TRUE(succeeds(frame));
  EXPECT_EQ(frame->info.captured.clock, sensor().clock());
  EXPECT_NE(frame->info.reference, ReferencePoint::unknown);
  // A driver may reckon the end of a frame ahead and hand the frame out before it: vivid adds the
  // readout to the start and does not wait for it (cap_frame_eof_offset).
  const Nanoseconds ahead = frame->info.reference == ReferencePoint::end_of_frame
                                ? Nanoseconds(1'000'000'000 / 30)
                                : Nanoseconds(0);
  EXPECT_GE(frame->ready_at + ahead, frame->info.captured.since_epoch);
  if (sensor().clock() == Clock::monotonic) {
    EXPECT_LE(frame->ready_at, monotonic_now());
  }
  EXPECT_LE(frame->info.copies, 1u);
}

TEST_P(SensorContract, FillsTheSlotsThatAreQueuedAndNoOther) {
  ASSERT_TRUE(succeeds(bench().set_up(format_)));
  if (!bench().fills()) return;
  ASSERT_TRUE(succeeds(sensor().start()));
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(succeeds(sensor().queue(i)));
  for (int i = 0; i < 6; ++i) {
    auto frame = bench().next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_LT(frame->arena_index, 3u);
    EXPECT_EQ(frame->lent, nullptr);
    EXPECT_TRUE(succeeds(bench().give_back(*std::move(frame))));
  }
  sensor().stop();
  const auto touched = [&](std::size_t index) {
    const auto slot = bench().slot(index).first(bench().stream().layout.size_bytes);
    return std::any_of(slot.begin(), slot.end(),
                       [](std::byte b) { return b != SensorBench::kUntouched; });
  };
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(touched(i)) << i;
  EXPECT_FALSE(touched(3));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(bench().neighbours_are_untouched(i)) << i;
}

TEST_P(SensorContract, WritesToNoSlotOnceItHasStopped) {
  start();
  ASSERT_TRUE(succeeds(bench().next()));
  sensor().stop();
  if (!bench().fills()) return;
  for (std::size_t i = 0; i < 4; ++i) std::ranges::fill(bench().slot(i), SensorBench::kUntouched);
  // What was on its way would land within some frames.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  for (std::size_t i = 0; i < 4; ++i) {
    const auto slot = bench().slot(i);
    EXPECT_TRUE(std::all_of(slot.begin(), slot.end(), [](std::byte b) {
      return b == SensorBench::kUntouched;
    })) << i;
  }
}

TEST_P(SensorContract, StartsAndStopsThreeTimes) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(succeeds(bench().set_up(format_))) << i;
    ASSERT_TRUE(succeeds(bench().start())) << i;
    ASSERT_TRUE(succeeds(bench().next())) << i;
    sensor().stop();
  }
}

// Example failure: what a camera captured between stop() and start() is taken for lost.
TEST_P(SensorContract, APauseIsNoLoss) {
  start();
  ASSERT_TRUE(succeeds(bench().next()));
  sensor().stop();
  const bool is_virtual = sensor().clock() == Clock::simulated;
  if (!is_virtual) std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const Nanoseconds begun = is_virtual ? Nanoseconds(0) : monotonic_now();
  start();
  const auto frame = bench().next();
  ASSERT_TRUE(succeeds(frame));
  // No more can be lost than were captured since.
  EXPECT_LE(frame->skipped, (frame->ready_at - begun) / frame_period(format_.framerate) + 1);
}

TEST_P(SensorContract, StopsWithEverySlotQueued) {
  for (int i = 0; i < 3; ++i) {
    start();
    sensor().stop();
    sensor().stop();
  }
}

TEST_P(SensorContract, MayGoWhileItStreams) {
  start();
  ASSERT_TRUE(succeeds(bench().next()));
  bench().drop_sensor();
}

TEST_P(SensorContract, CanBeSetToAnotherSizeOnceItHasStopped) {
  start();
  sensor().stop();
  const FormatOffer offer = sensor().describe().formats.front();
  const std::uint32_t step = std::max(offer.width.step, 1u);
  if (format_.width + step > offer.width.max) return;
  format_.width += step;
  start();
  EXPECT_TRUE(succeeds(bench().next()));
}

TEST_P(SensorContract, IsReadableWhenThereIsAFrameAndOnlyThen) {
  ASSERT_TRUE(succeeds(bench().set_up(format_, 2)));
  ASSERT_TRUE(succeeds(bench().start()));
  const bool is_virtual = sensor().clock() == Clock::simulated;
  if (is_virtual && !bench().fills()) return;  // It lends as many as are wanted.
  EXPECT_EQ(sensor().readable_fd() < 0, is_virtual);
  ASSERT_TRUE(bench().is_readable(10'000));
  std::vector<Delivered> held;
  for (int i = 0; i < 2; ++i) {
    auto frame = bench().next();
    ASSERT_TRUE(succeeds(frame));
    held.push_back(*std::move(frame));
  }
  // It has no memory left: nothing can come.
  EXPECT_FALSE(bench().is_readable(0));
  const auto nothing = sensor().dequeue();
  ASSERT_TRUE(succeeds(nothing));
  EXPECT_FALSE(nothing->has_value());
  ASSERT_TRUE(succeeds(bench().give_back(std::move(held.back()))));
  held.pop_back();
  EXPECT_TRUE(succeeds(bench().next()));
}

TEST_P(SensorContract, LentFramesStayAsTheyAreUntilTheyAreDropped) {
  start(8);
  if (bench().fills()) return;
  std::vector<std::shared_ptr<const Pixels>> held;
  std::vector<std::vector<std::byte>> copies;
  for (int i = 0; i < 3; ++i) {
    auto frame = bench().next();
    ASSERT_TRUE(succeeds(frame));
    ASSERT_EQ(frame->arena_index, Delivered::kLent);
    ASSERT_NE(frame->lent, nullptr);
    EXPECT_EQ(frame->lent->arena, nullptr);
    EXPECT_GE(frame->lent->size_bytes, bench().stream().layout.size_bytes);
    const auto pixels = bench().pixels(*frame);
    copies.emplace_back(pixels.begin(), pixels.end());
    held.push_back(frame->lent);
  }
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(succeeds(bench().next()));
  sensor().stop();
  bench().drop_sensor();
  for (std::size_t i = 0; i < held.size(); ++i)
    EXPECT_TRUE(std::equal(copies[i].begin(), copies[i].end(), held[i]->data)) << i;
}

TEST_P(SensorContract, TakesTheSettingsThatItSaysItHas) {
  start();
  ASSERT_TRUE(succeeds(bench().next()));
  const SettingsCaps caps = sensor().settings_caps();
  const auto now = [this] {
    return sensor().clock() == Clock::monotonic ? monotonic_now() : Nanoseconds(1'000'000);
  };
  for (const Setting setting : kSettings) {
    const auto& range = caps[setting];
    if (!range) {
      const auto change = SettingsChange().set(setting, 1e6);
      EXPECT_TRUE(fails(sensor().write(change, 1, now()), Errc::not_supported))
          << to_string(setting);
      continue;
    }
    EXPECT_LE(range->min, range->max) << to_string(setting);
    EXPECT_GT(range->max, 0) << to_string(setting);
    EXPECT_GE(range->step, 0) << to_string(setting);
    EXPECT_GE(range->delay, 0) << to_string(setting);
    EXPECT_LE(range->delay, kMaxControlDelay) << to_string(setting);
    const double value = nearest(*range, (range->min + range->max) / 2);
    const auto taken = sensor().write(SettingsChange().set(setting, value), 1, now());
    ASSERT_TRUE(succeeds(taken)) << to_string(setting);
    ASSERT_TRUE((*taken)[setting]) << to_string(setting);
    EXPECT_NEAR(*(*taken)[setting], value, std::max(range->step, value * 1e-6))
        << to_string(setting);
  }
  EXPECT_TRUE(succeeds(sensor().write({}, 2, now())));
}

TEST_P(SensorContract, VirtualTimeGoesOnWithTheFrames) {
  start(2);
  if (sensor().clock() != Clock::simulated) return;
  Nanoseconds last{-1};
  for (int i = 0; i < 20; ++i) {
    const auto event = sensor().next_event();
    ASSERT_TRUE(event);
    EXPECT_GT(*event, last);
    last = *event;
    auto frame = bench().next();
    ASSERT_TRUE(succeeds(frame));
    EXPECT_EQ(frame->ready_at, *event);
    EXPECT_TRUE(succeeds(bench().give_back(*std::move(frame))));
  }
}

INSTANTIATE_TEST_SUITE_P(Every, SensorContract, testing::ValuesIn(candidates()), test_name);

TEST(SensorBackends, AreFoundByName) {
  ASSERT_FALSE(sensor_backends().empty());
  for (const SensorBackend* backend : sensor_backends()) {
    const auto found = find_sensor_backend(backend->name());
    ASSERT_TRUE(succeeds(found));
    EXPECT_EQ(*found, backend);
    EXPECT_FALSE(backend->description().empty());
  }
}

TEST(SensorBackends, UnknownOnesAreToldWithThoseThereAre) {
  const auto found = find_sensor_backend("film");
  ASSERT_TRUE(fails(found, Errc::not_found, "film"));
  for (const SensorBackend* backend : sensor_backends())
    EXPECT_NE(found.error().what.find(backend->name()), std::string::npos);
}

TEST(SensorBackends, RefuseOptionsThatTheyDoNotHave) {
  for (const SensorBackend* backend : sensor_backends()) {
    for (const std::string& name : backend->list()) {
      auto spec = parse_sensor_spec(name);
      ASSERT_TRUE(succeeds(spec));
      spec->options["no-such-option"] = "1";
      EXPECT_TRUE(fails(backend->open(*spec), Errc::invalid_argument, "no-such-option")) << name;
    }
  }
}

}  // namespace
}  // namespace lockstep
