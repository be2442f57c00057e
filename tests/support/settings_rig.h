// SPDX-License-Identifier: MIT
// Triggers, delays and writes as tables: which exposure has which settings is worked out by the test itself, and what
// the controller says of each frame is compared with it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/settings_controller.h"
#include "result_testing.h"

namespace lockstep {

inline constexpr Nanoseconds kFakePeriod = std::chrono::milliseconds(40);
inline constexpr Nanoseconds kFakeReadyAfter = std::chrono::milliseconds(25);

inline SettingsCaps caps_of(int exposure_delay, int gain_delay) {
  SettingsCaps caps;
  caps[Setting::exposure] = SettingRange{1e3, 39e6, 0, exposure_delay};
  caps[Setting::analogue_gain] = SettingRange{1, 16, 0, gain_delay};
  return caps;
}

/// A camera as it really is: values hold from the first exposure that begins after the write, and its delay, on.
class FakeCamera {
 public:
  FakeCamera(SettingsCaps caps, Nanoseconds phase) : caps_(std::move(caps)), phase_(phase) {}

  SettingsChange write(const SettingsChange& change, Nanoseconds now, bool streams) {
    std::int64_t next = streams ? std::max<std::int64_t>((now - phase_) / kFakePeriod - 1, 0) : 0;
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
      taken.set(Setting::exposure, std::chrono::milliseconds(5));
      writes_[static_cast<std::size_t>(Setting::exposure)].push_back(
          {streams ? next + caps_[Setting::exposure]->delay : 0, 5e6});
    }
    return taken;
  }

  Settings truth(std::int64_t exposure) const {
    Settings settings{std::chrono::milliseconds(10)};
    SettingsChange values;
    for (const Setting setting : kSettings)
      for (const auto& [from, value] : writes_[static_cast<std::size_t>(setting)])
        if (from <= exposure) values[setting] = value;
    apply_to(settings, values);
    settings.exposure = std::min(settings.exposure, cuts_at);
    return settings;
  }

  Nanoseconds start_of(std::int64_t exposure) const {
    const auto k = static_cast<std::size_t>(exposure);
    return phase_ + exposure * kFakePeriod + (k < jitter.size() ? jitter[k] : Nanoseconds(0));
  }
  const SettingsCaps& caps() const { return caps_; }

  double rounds_to = 0;
  Nanoseconds lag{0};                        // of its capture times behind the start of exposure
  std::set<int> lost_at;                     // writes by number at which it is found to be gone
  bool shortens_exposure = false;            // with each gain that is written, to 5 ms
  Nanoseconds cuts_at = Nanoseconds::max();  // longer exposures, though it takes them
  std::set<int> refuses;                     // writes by number
  std::vector<Nanoseconds> jitter;           // by which exposures begin late
  int num_writes = 0;

 private:
  SettingsCaps caps_;
  Nanoseconds phase_;
  std::array<std::vector<std::pair<std::int64_t, double>>, kNumSettings> writes_;
};

/// Runs cameras and the controller as a rig does, one instant after the other.
class FakeRig {
 public:
  struct FrameSeen {
    bool present = false;
    SettingsController::Exposed said;
    Settings truth;
  };
  using BatchSeen = std::vector<FrameSeen>;

  explicit FakeRig(std::vector<FakeCamera> cameras, Nanoseconds format_period = kFakePeriod)
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

  /// The batch of one instant; frames of `lost` are not delivered. Writes are not made in the span that `blocked` is.
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
  Nanoseconds ready_after = kFakeReadyAfter;

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

inline std::string settings_text(const Settings& settings) {
  return std::to_string(settings.exposure.count()) + " ns x " +
         std::to_string(settings.analogue_gain);
}

inline bool says_uniform(const FakeRig::BatchSeen& batch) {
  for (const auto& frame : batch)
    if (!frame.present || frame.said.state != SettingsState::settled ||
        frame.said.revision != batch[0].said.revision)
      return false;
  return true;
}

inline bool is_uniform(const FakeRig::BatchSeen& batch) {
  for (const auto& frame : batch)
    if (!frame.present || !(frame.truth == batch[0].truth)) return false;
  return true;
}

inline std::vector<FakeCamera> cameras(const std::vector<std::pair<int, int>>& delays) {
  std::vector<FakeCamera> all;
  for (const auto& [exposure, gain] : delays)
    all.emplace_back(caps_of(exposure, gain), Nanoseconds(0));
  return all;
}

}  // namespace lockstep
