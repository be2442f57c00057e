// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "lockstep/settings.h"
#include "lockstep/time.h"

namespace lockstep {

/// What one sensor was asked and written, and what of that holds for which of its exposures. Pure.
///
/// Where the sensor reports, its own word counts; elsewhere it is reckoned from the writes' times.
class SettingsLog {
 public:
  /// Before any exposure.
  static constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::min();

  /// One value of one setting that the driver took.
  struct Entry {
    double value = 0;
    std::uint32_t revision = 0;  ///< Which asked for it.
    bool met = true;             ///< Whether the value is what was asked for, rounding aside.
    Nanoseconds begun{0};        ///< When the write was begun, and done.
    Nanoseconds done{0};
    bool placed = false;              ///< Whether the two below are known yet.
    std::int64_t earliest = kAlways;  ///< Exposures before this one certainly do not have it.
    std::int64_t from = kAlways;      ///< This one and those after it certainly do.
  };

  /// A setting that a sensor reports otherwise than its driver took it.
  struct Contradiction {
    Setting setting = Setting::exposure;
    std::uint32_t revision = 0;  ///< Which asked for it.
    double taken = 0;
    double reported = 0;
  };

  /// What an exposure was made with.
  struct Verdict {
    Settings settings;
    std::uint32_t revision = 0;  ///< That is in force in full; 0 unless settled.
    SettingsState state = SettingsState::unknown;
    /// What the sensor reports where all that is due was written, taken and in force, and none of it was that.
    std::optional<Contradiction> contradiction;
  };

  explicit SettingsLog(const SettingsCaps& caps) : caps_(caps) {}

  /// A revision asks for a value of this setting, whether the sensor has it or not.
  void ask(Setting setting, std::uint32_t revision);
  /// It is not going to be written, since a later one is for the same instant. It was asked for all the same: exposures
  /// that have neither are behind it.
  void supersede(Setting setting, std::uint32_t revision);
  /// The driver did not take it.
  void refuse(Setting setting, std::uint32_t revision);
  /// What the driver took.
  void add(Setting setting, const Entry& entry);
  /// A change that nobody asked for by a revision: holds under the one before.
  void add_nudge(Setting setting, Entry entry);

  /// Tells of each entry that is not placed yet between which exposures it took effect.
  void place(const std::function<void(Setting, Entry&)>& placed);
  /// An exposure was seen to begin between two times: whatever was foretold, a write that may have come before it may
  /// hold from it on, and one that may have come after it may not.
  void witness(std::int64_t index, Nanoseconds soonest, Nanoseconds latest);
  /// Exposures after `last` were not counted for certain until `index`: what may not have held at `last` may hold by
  /// now, and does for certain only from its delay after `index` on.
  void recount(std::int64_t last, std::int64_t index);
  /// Whether the frame durations of the exposures after `last`, up to `index`, are known well enough to count by them.
  bool can_count(std::int64_t last, std::int64_t index) const;
  /// What was written last holds for every exposure to come, which are counted anew.
  void settle();

  /// Which exposure a frame is of.
  struct Exposure {
    std::int64_t index = 0;
    bool is_counted =
        true;  ///< Else it may be a later one, and only what is reported is known of it.
  };

  /// What an exposure was made with, where revisions after `due` are not expected yet.
  Verdict at(Exposure exposure, std::uint32_t due, const Settings& reported) const;
  /// What was written last, if anything was.
  std::optional<double> last_value(Setting setting) const;
  /// The longest frame duration that an exposure may have of late; 0 where none was written.
  Nanoseconds longest_duration() const;
  /// The frame duration that holds for an exposure; `otherwise` where none was written.
  Nanoseconds duration_at(std::int64_t index, Nanoseconds otherwise) const;

  /// Forgets what no exposure from `index` on can have.
  void forget_before(std::int64_t index);

 private:
  struct Ask {
    enum class Outcome : std::uint8_t { open, superseded, refused };
    std::uint32_t revision = 0;
    Outcome outcome = Outcome::open;
  };
  struct PerSetting {
    std::vector<Ask> asked;  // by revision; of those in a row that come to nothing only the first
    std::deque<Entry> entries;  // in order of the writes
    bool forgotten = false;     // what held before the first of the entries is not known any more

    Ask last_ask(std::uint32_t revision) const;
    void forget_first();
  };
  /// What an exposure has of one setting.
  struct InForce {
    double value = 0;
    std::uint32_t revision = 0;
    bool known = false;  // a value was written, or is reported
    bool met = true;
    bool certain = true;
  };

  const PerSetting& of(Setting setting) const {
    return settings_[static_cast<std::size_t>(setting)];
  }
  PerSetting& of(Setting setting) { return settings_[static_cast<std::size_t>(setting)]; }
  bool is_close(Setting setting, double a, double b) const;
  InForce in_force(Setting setting, std::int64_t index) const;
  void come_to_nothing(Setting setting, std::uint32_t revision, Ask::Outcome outcome);
  bool is_cut(const std::array<InForce, kNumSettings>& all) const;
  void correct(InForce& in_force, Setting setting, double reported) const;

  SettingsCaps caps_;
  std::array<PerSetting, kNumSettings> settings_;
};

}  // namespace lockstep
