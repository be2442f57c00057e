// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "lockstep/result.h"
#include "lockstep/settings.h"
#include "lockstep/time.h"

namespace lockstep {

/// Numbers drawn from a seed.
class WorldRandom {
 public:
  explicit WorldRandom(std::uint64_t seed) : engine_(seed) {}

  /// From 0 to n - 1.
  int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }
  bool one_in(int n) { return below(n) == 0; }
  Nanoseconds up_to(Nanoseconds most) {
    return Nanoseconds(engine_() % static_cast<std::uint64_t>(most.count() + 1));
  }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + below(static_cast<int>(values.size())));
  }

 private:
  std::mt19937_64 engine_;
};

/// One value for each setting, in the order of kSettings. \units as SettingsChange
using WorldValues = std::array<double, kNumSettings>;

/// A camera as physics has it, in continuous time. It knows nothing of revisions, and of the library only its types.
///
/// An exposure is made with what was written before it began, and its delay, and lasts no longer than its frame. A
/// driver keeps a few frames for whoever takes them, and loses those that come while it is full.
class WorldCamera {
 public:
  struct Frame {
    Nanoseconds start{0};     ///< Of the exposure, as it really was.
    Nanoseconds captured{0};  ///< As the driver says.
    Nanoseconds ready{0};
    WorldValues made_with{};
  };
  /// What goes wrong, each once in so many; 0: never.
  struct Faults {
    int refuses = 0;     ///< Writes.
    int alters = 0;      ///< Writes whose values the driver replaces by others.
    int half_fails = 0;  ///< Writes that fail and may have been done in part.
    int drops = 0;       ///< Frames.
    int vanishes = 0;    ///< Frames after which it is away for a while.
  };

  static constexpr std::size_t kBuffers = 4;

  WorldCamera(SettingsCaps caps, Nanoseconds period, Nanoseconds first_start, std::uint64_t seed)
      : caps_(std::move(caps)), random_(seed), next_start_(first_start) {
    const WorldValues first = {4e6, 1, 1, 1, 1, static_cast<double>(period.count())};
    for (const Setting setting : kSettings) latched(setting).push_back({0, first[index(setting)]});
  }

  const SettingsCaps& caps() const { return caps_; }
  bool is_away(Nanoseconds now) const { return back_at_ && now >= away_from_; }
  /// When it can be had again, while it is away.
  std::optional<Nanoseconds> back_at() const { return back_at_; }

  /// It is back, with what was written before.
  void come_back(Nanoseconds now) {
    back_at_.reset();
    frames_.clear();
    for (auto& queue : latched_) {
      queue.erase(queue.begin(), queue.end() - 1);
      queue.front().from = 0;
    }
    next_start_ = now + random_.up_to(std::chrono::milliseconds(40));
  }

  /// Before it streams: holds from the first exposure on.
  SettingsChange set(const SettingsChange& change) {
    for (const Setting setting : kSettings)
      if (change[setting]) latched(setting).back().value = *change[setting];
    return change;
  }

  /// A write that reaches the device at that time.
  Result<SettingsChange> write(const SettingsChange& change, Nanoseconds now) {
    if (is_away(now)) return Error{Errc::device_lost, 19, "away"};
    run_until(now);
    if (happens(faults.refuses)) return Error{Errc::invalid_argument, 22, "refused"};
    const bool fails = happens(faults.half_fails);
    SettingsChange taken;
    for (const Setting setting : kSettings) {
      if (!change[setting] || (fails && random_.one_in(2))) continue;
      double value = *change[setting];
      if (setting != Setting::frame_duration && happens(faults.alters)) value *= 0.7;
      taken[setting] = value;
      latch(setting, value);
    }
    if (fails) return Error{Errc::io, 5, "failed"};
    return taken;
  }

  /// When something happens next: an exposure begins, a frame is ready, or it vanishes.
  Nanoseconds next_event() const {
    const Nanoseconds next = back_at_ ? std::min(next_start_, away_from_) : next_start_;
    return frames_.empty() ? next : std::min(next, frames_.front().ready);
  }
  std::optional<Frame> take(Nanoseconds now) {
    run_until(now);
    if (frames_.empty() || frames_.front().ready > now) return std::nullopt;
    const Frame frame = frames_.front();
    frames_.pop_front();
    return frame;
  }

  Faults faults;
  Nanoseconds readout = std::chrono::milliseconds(5);
  Nanoseconds jitter{0};       ///< By which exposures begin late, at most.
  Nanoseconds stamp_noise{0};  ///< By which capture times are off, either way.
  bool stamps_end = false;     ///< Whether capture times are the end of the frame.

 private:
  struct Latched {
    std::int64_t from = 0;
    double value = 0;
  };

  static std::size_t index(Setting setting) { return static_cast<std::size_t>(setting); }
  std::deque<Latched>& latched(Setting setting) { return latched_[index(setting)]; }
  bool happens(int one_in) { return one_in > 0 && random_.one_in(one_in); }

  // Counted from the next exposure, as come_back() does too.
  void latch(Setting setting, double value) {
    const std::int64_t from = next_ + (caps_[setting] ? caps_[setting]->delay : 0);
    auto& queue = latched(setting);
    while (queue.size() > 1 && queue.back().from >= from) queue.pop_back();
    queue.push_back({from, value});
  }

  WorldValues in_force() {
    WorldValues values{};
    for (const Setting setting : kSettings) {
      auto& queue = latched(setting);
      while (queue.size() > 1 && queue[1].from <= next_) queue.pop_front();
      values[index(setting)] = queue.front().value;
    }
    double& exposure = values[index(Setting::exposure)];
    exposure = std::min(exposure, values[index(Setting::frame_duration)]);
    return values;
  }

  void run_until(Nanoseconds now) {
    while (next_start_ <= now && !is_away(next_start_)) expose();
  }

  void expose() {
    Frame frame;
    frame.made_with = in_force();
    frame.start = next_start_;
    frame.ready = frame.start + Nanoseconds(std::llround(frame.made_with[0])) + readout;
    frame.captured = stamps_end ? frame.ready : frame.start;
    frame.captured += random_.up_to(2 * stamp_noise) - stamp_noise;
    const Nanoseconds duration(std::llround(frame.made_with[index(Setting::frame_duration)]));
    const Nanoseconds late = random_.up_to(jitter);
    next_start_ += duration + late - std::exchange(was_late_, late);
    ++next_;
    // Who takes frames as they come leaves the driver with the buffers of those under way.
    if (!happens(faults.drops) && frames_.size() < kBuffers) frames_.push_back(frame);
    if (!back_at_ && happens(faults.vanishes)) {
      away_from_ = next_start_;
      back_at_ = away_from_ + random_.up_to(std::chrono::milliseconds(500));
    }
  }

  SettingsCaps caps_;
  WorldRandom random_;
  std::array<std::deque<Latched>, kNumSettings> latched_;
  std::int64_t next_ = 0;  // exposure to come
  Nanoseconds next_start_;
  Nanoseconds was_late_{0};
  std::deque<Frame> frames_;
  Nanoseconds away_from_{0};
  std::optional<Nanoseconds> back_at_;
};

}  // namespace lockstep
