// SPDX-License-Identifier: MIT
// The promise at the heart of it: what is called settled or uniform is. Cameras, a user who asks in bursts, and a
// consumer that stalls live through random lives; what each sensor was asked, and what each exposure was really made
// with, is kept by the test itself and compared with what the controller says of every frame.
//
// LOCKSTEP_SETTINGS_BATCHES says how many batches in all; without it few enough for every build.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "core/settings_controller.h"
#include "lockstep/synchroniser.h"
#include "result_testing.h"
#include "settings_testing.h"
#include "settings_world.h"

namespace lockstep {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Nanoseconds kWorldPeriod{33'333'333};
constexpr int kBatchesOfALife = 500;

// What every revision asks of every sensor, those before it counted in.
class Asked {
 public:
  explicit Asked(std::vector<SettingsCaps> caps) : caps_(std::move(caps)), wanted_(1) {
    wanted_[0].resize(caps_.size());
  }

  void add(const std::vector<SettingsChange>& changes) {
    std::vector<SettingsChange> all = wanted_.back();
    for (std::size_t i = 0; i < all.size(); ++i) all[i].merge(changes[changes.size() == 1 ? 0 : i]);
    wanted_.push_back(std::move(all));
  }
  std::uint32_t latest() const { return static_cast<std::uint32_t>(wanted_.size() - 1); }
  const SettingsChange& of(std::size_t sensor, std::uint32_t revision) const {
    return wanted_[revision][sensor];
  }

  // Whether an exposure was made with all that a revision asks; rounding by a step, or a hundredth, is no difference.
  bool is_met(std::size_t sensor, std::uint32_t revision, const WorldValues& made_with) const {
    for (const Setting setting : kSettings) {
      const auto& wanted = of(sensor, revision)[setting];
      if (!wanted) continue;
      const auto& range = caps_[sensor][setting];
      if (!range) return false;
      const double off = std::abs(made_with[static_cast<std::size_t>(setting)] - *wanted);
      if (off > std::max(range->step, 0.01 * *wanted)) return false;
    }
    return true;
  }

 private:
  std::vector<SettingsCaps> caps_;
  std::vector<std::vector<SettingsChange>> wanted_;  // by revision, by sensor
};

// One frame of a batch: what it was really made with, and what is said of it.
struct Seen {
  std::size_t sensor = 0;
  WorldValues made_with{};
  SettingsController::Exposed said;
};
using SeenSet = std::vector<std::optional<Seen>>;

bool is_called_uniform(const SeenSet& batch) {
  return std::all_of(batch.begin(), batch.end(), [&](const std::optional<Seen>& seen) {
    return seen && seen->said.state == SettingsState::settled &&
           seen->said.revision == batch[0]->said.revision;
  });
}

SettingsCaps random_caps(WorldRandom& random, bool durations, bool reports) {
  SettingsCaps caps;
  const int most = random.one_of({0, 2, 6});
  const auto range = [&](double min, double max, double step) {
    return SettingRange{min, max, step, random.below(most + 1)};
  };
  caps[Setting::exposure] = range(1e5, 5e8, random.one_in(4) ? 1e4 : 0);
  caps[Setting::analogue_gain] = range(1, 16, random.one_in(4) ? 0.0625 : 0);
  if (!random.one_in(6)) caps[Setting::red_gain] = range(0.25, 4, 0);
  if (durations) caps[Setting::frame_duration] = range(5e6, 5e8, 0);
  caps.reports = reports;
  return caps;
}

// Does what a rig does: takes frames, writes when it is time, composes sets.
class SettingsWorld {
 public:
  explicit SettingsWorld(std::uint64_t seed)
      : random_(seed),
        durations_(random_.one_in(4)),
        cameras_(make_cameras()),
        controller_(all_caps(), kWorldPeriod),
        sync_(cameras_.size(), {kWorldPeriod / 2, kWorldPeriod, OnMissing::partial}, 8),
        asked_(all_caps()) {
    for (std::size_t i = 0; i < cameras_.size(); ++i) names_.push_back(std::to_string(i));
    controller_.restart();
    if (random_.one_in(2)) ask();
    while (auto write = controller_.take_write(now_))
      controller_.written(*write, cameras_[write->sensor].set(write->change), now_, now_);
    controller_.begin();
  }

  SeenSet next_batch() {
    for (;;) {
      make_writes();
      if (auto set = sync_.pop(now_)) return compose(*set);
      sync_.take_drops();
      wait_and_capture();
    }
  }

  // For a while nobody takes batches, nor writes.
  void stall(Nanoseconds most) { now_ += random_.up_to(most); }

  // Something random, of all sensors or of each, or nonsense.
  void ask() {
    const bool for_each = random_.one_in(3);
    std::vector<SettingsChange> changes(for_each ? cameras_.size() : 1);
    for (std::size_t i = 0; i < changes.size(); ++i)
      changes[i] = for_each ? random_change(i) : random_change();
    const bool nonsense = random_.one_in(20);
    if (nonsense)
      changes.back().set(Setting::analogue_gain, random_.one_of({0.0, -3.0, std::nan(""), 99.0}));
    const auto revision = controller_.request(changes, names_);
    if (!revision) {
      ++num_refused;
      return;
    }
    EXPECT_FALSE(nonsense);
    asked_.add(changes);
    EXPECT_EQ(*revision, asked_.latest());
  }

  void ask_all(const SettingsChange& change) {
    const auto revision = controller_.request({&change, 1}, names_);
    ASSERT_TRUE(succeeds(revision));
    asked_.add({change});
  }

  void end_troubles() {
    for (WorldCamera& camera : cameras_) camera.faults = {};
    in_peace_ = true;
  }

  const Asked& asked() const { return asked_; }
  const std::vector<Seen>& seen() const { return seen_; }
  const SettingsController& controller() const { return controller_; }
  std::size_t num_sensors() const { return cameras_.size(); }
  bool durations() const { return durations_; }
  // Whether all sensors can be uniform in the end: all have all that is asked, and none has got out of step.
  bool is_tame() const {
    return !durations_ &&
           std::all_of(cameras_.begin(), cameras_.end(), [](const WorldCamera& camera) {
             return camera.caps()[Setting::red_gain] && camera.faults.vanishes == 0;
           });
  }
  WorldRandom& random() { return random_; }

  int num_refused = 0;

 private:
  std::vector<WorldCamera> make_cameras() {
    std::vector<WorldCamera> cameras;
    const int num = 2 + random_.below(3);
    const int reports = random_.below(3);  // none, some, all
    const bool in_step = random_.one_in(2);
    const bool stamps_end = !durations_ && random_.one_in(4);
    const auto noise =
        random_.one_of<Nanoseconds>({microseconds(0), microseconds(10), microseconds(300)});
    const auto jitter =
        random_.one_of<Nanoseconds>({microseconds(0), microseconds(0), milliseconds(3)});
    const int trouble = random_.one_of({0, 60, 400});
    for (int i = 0; i < num; ++i) {
      const bool own_word = reports == 2 || (reports == 1 && random_.one_in(2));
      cameras.emplace_back(
          random_caps(random_, durations_, own_word), kWorldPeriod,
          milliseconds(100) + (in_step ? Nanoseconds(0) : random_.up_to(milliseconds(12))),
          random_.below(1 << 30));
      WorldCamera& camera = cameras.back();
      camera.stamps_end = stamps_end;
      camera.stamp_noise = noise;
      camera.jitter = jitter;
      if (trouble == 0) continue;
      camera.faults = {random_.below(3) * trouble / 8, random_.below(3) * trouble / 8,
                       random_.below(3) * trouble / 8, random_.below(3) * trouble / 4,
                       random_.below(2) * trouble * 4};
    }
    return cameras;
  }

  std::vector<SettingsCaps> all_caps() const {
    std::vector<SettingsCaps> caps;
    for (const WorldCamera& camera : cameras_) caps.push_back(camera.caps());
    return caps;
  }

  // Few values, which come again, and all further apart than rounding.
  SettingsChange random_change(std::optional<std::size_t> sensor = std::nullopt) {
    SettingsChange change;
    if (random_.one_in(2))
      change.set(Setting::exposure, random_.one_of({1e6, 2e6, 5e6, 10e6, 20e6, 30e6, 60e6}));
    if (random_.one_in(2)) change.set(Setting::analogue_gain, random_.one_of({1.0, 2.0, 4.0, 8.0}));
    if (random_.one_in(6)) change.set(Setting::red_gain, random_.one_of({0.5, 1.0, 2.0}));
    if (sensor && !cameras_[*sensor].caps()[Setting::red_gain]) change[Setting::red_gain].reset();
    // One for all: they stay in step.
    if (!sensor && durations_ && random_.one_in(12))
      change.set(Setting::frame_duration, random_.one_of({20e6, 33'333'333.0, 70e6}));
    return change;
  }

  void make_writes() {
    while (auto write = controller_.take_write(now_)) {
      WorldCamera& camera = cameras_[write->sensor];
      const Nanoseconds begun = now_;
      const Nanoseconds takes =
          random_.one_in(50) ? random_.up_to(milliseconds(20)) : random_.up_to(microseconds(300));
      now_ += takes;
      const auto taken = camera.write(write->change, begun + random_.up_to(takes));
      const bool gone = !taken && taken.error().code == Errc::device_lost;
      controller_.written(*write, taken, begun, now_);
      if (gone) lose(write->sensor);
    }
  }

  void lose(std::size_t i) {
    lost_.insert(i);
    controller_.lost(i);
    sync_.set_active(i, false, now_);
  }

  void wait_and_capture() {
    Nanoseconds next = now_ + milliseconds(200);
    for (std::size_t i = 0; i < cameras_.size(); ++i)
      next = std::min(next, lost_.count(i) ? *cameras_[i].back_at() : cameras_[i].next_event());
    if (const auto due = sync_.deadline()) next = std::min(next, *due);
    // Somebody asks in the meantime.
    if (!in_peace_ && random_.one_in(40)) {
      now_ = std::max(now_, now_ + random_.up_to(std::max(next - now_, Nanoseconds(0))));
      ask();
    }
    if (const auto write = controller_.next_write()) next = std::min(next, *write);
    now_ = std::max(now_, next);
    if (random_.one_in(30)) now_ += random_.up_to(milliseconds(2));
    for (std::size_t i = 0; i < cameras_.size(); ++i) capture(i);
  }

  void capture(std::size_t i) {
    WorldCamera& camera = cameras_[i];
    if (lost_.count(i)) {
      if (now_ < *camera.back_at()) return;
      lost_.erase(i);
      camera.come_back(now_);
      sync_.set_active(i, true, now_);
      controller_.back(i);
      return;
    }
    while (const auto frame = camera.take(now_)) {
      const auto reference =
          camera.stamps_end ? ReferencePoint::end_of_frame : ReferencePoint::start_of_exposure;
      Settings reported;
      for (const Setting setting : kSettings)
        apply_to(reported, SettingsChange().set(
                               setting, frame->made_with[static_cast<std::size_t>(setting)]));
      if (!camera.caps().reports) reported = {};
      seen_.push_back(
          {i, frame->made_with, controller_.exposed(i, frame->captured, reference, reported)});
      sync_.push({i, frame->captured, seen_.size() - 1}, now_);
    }
    if (camera.is_away(now_)) lose(i);
  }

  SeenSet compose(const Synchroniser::Set& set) {
    SeenSet batch(cameras_.size());
    std::vector<std::optional<std::int64_t>> indexes(cameras_.size());
    for (std::size_t i = 0; i < cameras_.size(); ++i) {
      if (!set.tokens[i]) continue;
      batch[i] = seen_[*set.tokens[i]];
      indexes[i] = batch[i]->said.index;
    }
    controller_.left_together(indexes);
    return batch;
  }

  WorldRandom random_;
  bool durations_;  // whether frame durations are changed
  bool in_peace_ = false;
  std::vector<WorldCamera> cameras_;
  SettingsController controller_;
  Synchroniser sync_;
  Asked asked_;
  std::vector<std::string> names_;
  std::set<std::size_t> lost_;
  std::vector<Seen> seen_;  // by token
  Nanoseconds now_{milliseconds(1)};
};

// What is wrong with what is said of a batch; empty: nothing.
class Judge {
 public:
  explicit Judge(const SettingsWorld& world) : world_(world), held_(world.num_sensors()) {
    for (auto& held : held_) held.insert(0);
  }

  // Of the frames that have come since the last time, and of the batch that they led to.
  std::string fault_of(const SeenSet& batch) {
    std::string faults;
    for (; num_judged_ < world_.seen().size(); ++num_judged_)
      faults += fault_of(world_.seen()[num_judged_]);
    if (faults.empty() && is_called_uniform(batch) && !is_uniform(batch)) faults = "not uniform";
    return faults;
  }

 private:
  std::string fault_of(const Seen& seen) {
    const Asked& asked = world_.asked();
    const auto& said = seen.said;
    const std::size_t sensor = seen.sensor;
    const std::string text = "sensor " + std::to_string(sensor) + " " + to_string(said.state) +
                             " under revision " + std::to_string(said.revision) + " of " +
                             std::to_string(asked.latest());
    if (said.revision > asked.latest()) return text + ", which there is not";
    if (said.state != SettingsState::settled)
      return held_[sensor].count(said.revision) ? "" : text + ", which never held";
    SettingsChange made;
    for (const Setting setting : kSettings)
      made.set(setting, seen.made_with[static_cast<std::size_t>(setting)]);
    if (!asked.is_met(sensor, said.revision, seen.made_with))
      return text + " (" + to_string(asked.of(sensor, said.revision)) + "), made with " +
             to_string(made);
    held_[sensor].insert(said.revision);
    for (const Setting setting : kSettings) {
      const double value = value_of(said.settings, setting);
      if (asked.of(sensor, said.revision)[setting] &&
          std::abs(value - *made[setting]) > 0.01 * *made[setting])
        return text + ", said to have " + to_string(SettingsChange().set(setting, value)) +
               ", made with " + to_string(made);
    }
    return "";
  }

  // Where all sensors are asked the same, all frames show the same.
  bool is_uniform(const SeenSet& batch) const {
    const std::uint32_t revision = batch[0]->said.revision;
    for (const Setting setting : kSettings) {
      const auto& first = world_.asked().of(0, revision)[setting];
      for (std::size_t i = 1; i < batch.size(); ++i) {
        const auto& other = world_.asked().of(i, revision)[setting];
        if (!first || !other || *first != *other) continue;
        const std::size_t s = static_cast<std::size_t>(setting);
        const double made = batch[0]->made_with[s];
        if (std::abs(made - batch[i]->made_with[s]) > 0.02 * made) return false;
      }
    }
    return true;
  }

  const SettingsWorld& world_;
  std::size_t num_judged_ = 0;
  std::vector<std::set<std::uint32_t>>
      held_;  // of each sensor, the revisions that its frames had in full
};

struct Tally {
  std::int64_t batches = 0;
  std::int64_t uniform = 0;
  std::uint64_t revisions = 0;
  std::uint64_t late = 0;
  std::uint64_t superseded = 0;
  std::int64_t refused = 0;
  int lives = 0;
  int ended_well = 0;  // uniform under what was asked last, once all was well
};

// A life of so many batches, then some in peace. What is wrong, or nothing.
std::string live(std::uint64_t seed, Tally& tally) {
  SettingsWorld world(seed);
  Judge judge(world);
  WorldRandom& random = world.random();
  const int asks_in = random.one_of({1, 3, 15});
  const int stalls_in = random.one_of({0, 10, 60});
  const auto longest =
      random.one_of<Nanoseconds>({milliseconds(30), milliseconds(150), milliseconds(600)});
  for (int n = 0; n < kBatchesOfALife; ++n) {
    const SeenSet batch = world.next_batch();
    ++tally.batches;
    tally.uniform += is_called_uniform(batch);
    if (const std::string fault = judge.fault_of(batch); !fault.empty())
      return "batch " + std::to_string(n) + ": " + fault;
    if (random.one_in(asks_in))
      for (int more = random.one_in(4) ? random.below(5) : 0; more >= 0; --more) world.ask();
    if (random.one_in(400))
      for (int more = 0; more < 300; ++more) world.ask();
    if (stalls_in > 0 && random.one_in(stalls_in)) world.stall(longest);
    if (random.one_in(8)) world.ask();
  }
  tally.revisions += world.controller().latest_revision();
  tally.late += world.controller().late_writes();
  tally.superseded += world.controller().superseded();
  tally.refused += world.num_refused;

  const bool tame = world.is_tame();
  world.end_troubles();
  SeenSet last;
  for (int n = 0; n < 60; ++n) {
    last = world.next_batch();
    if (const std::string fault = judge.fault_of(last); !fault.empty()) return fault;
    if (n != 20) continue;
    SettingsChange all = both_of(milliseconds(3), 3).set(Setting::red_gain, 3);
    if (world.durations()) all.set(Setting::frame_duration, kWorldPeriod);
    world.ask_all(all);
  }
  ++tally.lives;
  if (!tame) return "";
  ++tally.ended_well;
  const bool ended_well =
      is_called_uniform(last) && last[0]->said.revision == world.asked().latest();
  return ended_well ? "" : "not uniform in the end, though all is well";
}

TEST(SettingsModel, WhatIsCalledSettledOrUniformIsWhateverHappens) {
  const char* given = std::getenv("LOCKSTEP_SETTINGS_BATCHES");
  const std::int64_t wanted = given ? std::atoll(given) : 6'000;
  Tally tally;
  for (std::uint64_t seed = 1; tally.batches < wanted; ++seed) {
    const std::string fault = live(seed, tally);
    ASSERT_EQ(fault, "") << "seed " << seed;
  }
  std::printf(
      "%lld batches, %lld uniform; %d of %d lives ended well; %llu revisions, %llu superseded, "
      "%lld refused; "
      "%llu late writes\n",
      static_cast<long long>(tally.batches), static_cast<long long>(tally.uniform),
      tally.ended_well, tally.lives, static_cast<unsigned long long>(tally.revisions),
      static_cast<unsigned long long>(tally.superseded), static_cast<long long>(tally.refused),
      static_cast<unsigned long long>(tally.late));
  // Nothing is proven by one that does not dare to say so.
  EXPECT_GT(tally.uniform, tally.batches / 20);
  EXPECT_GT(tally.ended_well, 0);
}

}  // namespace
}  // namespace lockstep
