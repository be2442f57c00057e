// SPDX-License-Identifier: MIT
#include "core/settings_log.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/nanoseconds.h"

namespace lockstep {
namespace {

constexpr std::size_t kMostRemembered = 1024;
// Share of a frame duration by which another one must differ for exposures to be miscounted.
constexpr double kMostOff = 0.2;

}  // namespace

// The last up to that revision; of revision 0 where there is none.
SettingsLog::Ask SettingsLog::PerSetting::last_ask(std::uint32_t revision) const {
  const auto after =
      std::upper_bound(asked.begin(), asked.end(), revision,
                       [](std::uint32_t value, const Ask& ask) { return value < ask.revision; });
  return after == asked.begin() ? Ask{} : *(after - 1);
}

// What was asked before the oldest that is left decides nothing any more.
void SettingsLog::PerSetting::forget_first() {
  entries.pop_front();
  forgotten = true;
  while (asked.size() > 1 && asked[1].revision <= entries.front().revision)
    asked.erase(asked.begin());
}

void SettingsLog::ask(Setting setting, std::uint32_t revision) {
  auto& asked = of(setting).asked;
  // What it does not have it refuses from the first on.
  if (!asked.empty() && (!caps_[setting] || asked.back().revision == revision)) return;
  asked.push_back({revision, caps_[setting] ? Ask::Outcome::open : Ask::Outcome::refused});
}

void SettingsLog::supersede(Setting setting, std::uint32_t revision) {
  come_to_nothing(setting, revision, Ask::Outcome::superseded);
}

void SettingsLog::refuse(Setting setting, std::uint32_t revision) {
  come_to_nothing(setting, revision, Ask::Outcome::refused);
}

// Those in a row are one, so that neither bursts of changes nor a driver that never takes anything cost memory.
void SettingsLog::come_to_nothing(Setting setting, std::uint32_t revision, Ask::Outcome outcome) {
  auto& asked = of(setting).asked;
  const auto found = std::find_if(asked.begin(), asked.end(),
                                  [&](const Ask& ask) { return ask.revision == revision; });
  if (found == asked.end()) return;
  if (found == asked.begin() || (found - 1)->outcome == Ask::Outcome::open) {
    found->outcome = outcome;
    return;
  }
  if (outcome == Ask::Outcome::refused) (found - 1)->outcome = outcome;
  asked.erase(found);
}

void SettingsLog::add(Setting setting, const Entry& entry) {
  PerSetting& its = of(setting);
  its.entries.push_back(entry);
  // A sensor that is silent for long has none of them forgotten by its frames.
  if (its.entries.size() > kMostRemembered) its.forget_first();
}

void SettingsLog::add_nudge(Setting setting, Entry entry) {
  const auto& entries = of(setting).entries;
  entry.revision = entries.empty() ? 0 : entries.back().revision;
  entry.met = entry.met && (entries.empty() || entries.back().met);
  add(setting, entry);
}

void SettingsLog::place(const std::function<void(Setting, Entry&)>& placed) {
  for (const Setting setting : kSettings) {
    // Those that are not placed are the newest.
    auto& entries = of(setting).entries;
    for (auto entry = entries.rbegin(); entry != entries.rend() && !entry->placed; ++entry) {
      placed(setting, *entry);
      entry->placed = true;
    }
  }
}

void SettingsLog::witness(std::int64_t index, Nanoseconds soonest, Nanoseconds latest) {
  for (const Setting setting : kSettings) {
    const auto& range = caps_[setting];
    const std::int64_t holder = index + (range ? range->delay : 0);
    for (Entry& entry : of(setting).entries) {
      if (!entry.placed || entry.from == kAlways) continue;
      if (latest >= entry.begun) entry.earliest = std::min(entry.earliest, holder);
      if (soonest <= entry.done) entry.from = std::max(entry.from, holder + 1);
    }
  }
}

void SettingsLog::recount(std::int64_t last, std::int64_t index) {
  for (const Setting setting : kSettings) {
    const auto& range = caps_[setting];
    for (Entry& entry : of(setting).entries) {
      if (!entry.placed || entry.from <= last) continue;
      entry.earliest = std::min(entry.earliest, index);
      entry.from = std::max(entry.from, index + (range ? range->delay : 0));
    }
  }
}

bool SettingsLog::can_count(std::int64_t last, std::int64_t index) const {
  const auto& entries = of(Setting::frame_duration).entries;
  for (std::size_t k = 1; k < entries.size(); ++k) {
    const Entry& entry = entries[k];
    const bool is_uncertain = entry.placed && entry.earliest < entry.from;
    if (!is_uncertain || entry.earliest > index || entry.from <= last) continue;
    const double before = entries[k - 1].value;
    if (std::abs(entry.value - before) > kMostOff * std::min(entry.value, before)) return false;
  }
  return true;
}

void SettingsLog::settle() {
  for (PerSetting& setting : settings_) {
    auto& entries = setting.entries;
    if (entries.empty()) continue;
    entries.erase(entries.begin(), entries.end() - 1);
    entries.front().placed = true;
    entries.front().earliest = entries.front().from = kAlways;
  }
}

bool SettingsLog::is_close(Setting setting, double a, double b) const {
  const auto& range = caps_[setting];
  const double step = range ? range->step : 0;
  // Times are whole nanoseconds, and gains may have been through a driver's own fractions.
  const double rounding =
      setting == Setting::exposure || setting == Setting::frame_duration ? 1.0 : 1e-6 * std::abs(a);
  return std::abs(a - b) <= std::max(0.51 * step, rounding);
}

SettingsLog::InForce SettingsLog::in_force(Setting setting, std::int64_t index) const {
  InForce found;
  found.certain = !of(setting).forgotten;
  for (const Entry& entry : of(setting).entries) {
    if (entry.placed && entry.from <= index) {
      found = {entry.value, entry.revision, true, entry.met, true};
    } else if (!entry.placed || entry.earliest <= index) {
      found.certain = found.certain && found.known && is_close(setting, entry.value, found.value) &&
                      entry.revision == found.revision;
    }
  }
  return found;
}

// The sensor's own word: if it is not what was reckoned, another write may be the one that it has.
void SettingsLog::correct(InForce& in_force, Setting setting, double reported) const {
  const bool uncertain = !std::exchange(in_force.certain, true);
  if (in_force.known && is_close(setting, in_force.value, reported)) {
    in_force.value = reported;
    return;
  }
  const bool before_first = !in_force.known && !of(setting).forgotten;
  const auto& entries = of(setting).entries;
  const auto same = std::find_if(entries.rbegin(), entries.rend(), [&](const Entry& entry) {
    return is_close(setting, entry.value, reported);
  });
  if (same != entries.rend() && !(before_first && !uncertain)) {
    in_force = {reported, same->revision, true, same->met, true};
    return;
  }
  // It has what was before the first write, or does as it likes.
  in_force.value = reported;
  in_force.met = before_first;
  in_force.known = true;
}

// Whether an exposure is longer than its frame. What a driver makes of that is not known unless it reports it.
bool SettingsLog::is_cut(const std::array<InForce, kNumSettings>& all) const {
  const InForce& exposure = all[static_cast<std::size_t>(Setting::exposure)];
  const InForce& frame = all[static_cast<std::size_t>(Setting::frame_duration)];
  return exposure.known && frame.known && exposure.value > frame.value &&
         !is_close(Setting::exposure, exposure.value, frame.value);
}

SettingsLog::Verdict SettingsLog::at(Exposure exposure, std::uint32_t due,
                                     const Settings& reported) const {
  Verdict verdict;
  std::array<InForce, kNumSettings> all;
  SettingsChange values;
  bool certain = true;
  bool complete = true;
  std::optional<Contradiction> contradiction;
  for (const Setting setting : kSettings) {
    InForce& one = all[static_cast<std::size_t>(setting)];
    one = in_force(setting, exposure.index);
    one.certain = one.certain && exposure.is_counted;
    complete =
        complete && one.certain && one.met && one.revision == of(setting).last_ask(due).revision;
    if (caps_.reports) {
      const InForce taken = one;
      correct(one, setting, value_of(reported, setting));
      if (!one.met && taken.met) contradiction = {setting, taken.revision, taken.value, one.value};
    }
    if (one.known) values[setting] = one.value;
    certain = certain && one.certain;
  }
  if (complete) verdict.contradiction = contradiction;
  if (!caps_.reports && is_cut(all)) certain = false;
  apply_to(verdict.settings, values);

  // Down from the newest that may hold until no setting is behind it. One that then is ahead belongs to a newer one.
  verdict.revision = due;
  bool refused = false;
  bool behind = true;
  while (behind) {
    behind = false;
    for (const Setting setting : kSettings) {
      const InForce& one = all[static_cast<std::size_t>(setting)];
      const Ask wanted = of(setting).last_ask(verdict.revision);
      const bool unmet = wanted.revision == one.revision && !one.met;
      if (wanted.revision <= one.revision && !unmet) continue;
      if (wanted.revision == 0) {
        refused = refused || unmet;
        continue;
      }
      refused = refused || unmet || wanted.outcome == Ask::Outcome::refused;
      verdict.revision = wanted.revision - 1;
      behind = true;
    }
  }
  bool ahead = false;
  for (const Setting setting : kSettings)
    ahead = ahead || all[static_cast<std::size_t>(setting)].revision >
                         of(setting).last_ask(verdict.revision).revision;
  if (!caps_.has_any() && !caps_.reports) {
    verdict.state = SettingsState::unknown;
  } else if (refused) {
    verdict.state = caps_.has_any() ? SettingsState::refused : SettingsState::unknown;
  } else if (ahead || !certain) {
    verdict.state = SettingsState::changing;
  } else {
    verdict.state =
        verdict.revision > 0 || caps_.reports ? SettingsState::settled : SettingsState::unknown;
  }
  if (verdict.state != SettingsState::settled) verdict.revision = 0;
  return verdict;
}

std::optional<double> SettingsLog::last_value(Setting setting) const {
  const auto& entries = of(setting).entries;
  return entries.empty() ? std::nullopt : std::optional(entries.back().value);
}

Nanoseconds SettingsLog::longest_duration() const {
  double longest = 0;
  for (const Entry& entry : of(Setting::frame_duration).entries)
    longest = std::max(longest, entry.value);
  return rounded(longest);
}

Nanoseconds SettingsLog::duration_at(std::int64_t index, Nanoseconds otherwise) const {
  const InForce found = in_force(Setting::frame_duration, index);
  return found.known ? rounded(found.value) : otherwise;
}

void SettingsLog::forget_before(std::int64_t index) {
  for (PerSetting& setting : settings_) {
    const auto& entries = setting.entries;
    while (entries.size() > 1 && entries[1].placed && entries[1].from <= index)
      setting.forget_first();
  }
}

}  // namespace lockstep
