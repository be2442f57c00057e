// SPDX-License-Identifier: MIT
#include "core/settings_log.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/nanoseconds.h"

namespace lockstep {
namespace {

constexpr std::size_t kMostRemembered = 1024;

// The last of the revisions that is no later than `revision`; 0 where there is none.
std::uint32_t last_up_to(const std::vector<std::uint32_t>& revisions, std::uint32_t revision) {
  const auto after = std::upper_bound(revisions.begin(), revisions.end(), revision);
  return after == revisions.begin() ? 0 : *(after - 1);
}

}  // namespace

void SettingsLog::ask(Setting setting, std::uint32_t revision) {
  auto& asked = of(setting).asked;
  // What it does not have it refuses from the first on.
  if (!caps_[setting] && !asked.empty()) return;
  asked.push_back(revision);
  if (asked.size() > kMostRemembered) asked.erase(asked.begin());
}

void SettingsLog::withdraw(Setting setting, std::uint32_t revision) {
  std::erase(of(setting).asked, revision);
}

void SettingsLog::refuse(Setting setting, std::uint32_t revision) {
  auto& asked = of(setting).asked;
  auto& refused = of(setting).refused;
  const auto found = std::find(asked.begin(), asked.end(), revision);
  if (found == asked.end()) return;
  // One refusal after the other is one, so that a driver that never takes anything costs no memory.
  if (found != asked.begin() && is_refused(setting, *(found - 1)))
    asked.erase(found);
  else
    refused.push_back(revision);
}

bool SettingsLog::is_refused(Setting setting, std::uint32_t revision) const {
  const auto& refused = of(setting).refused;
  return !caps_[setting] || std::find(refused.begin(), refused.end(), revision) != refused.end();
}

void SettingsLog::add(Setting setting, const Entry& entry) {
  auto& entries = of(setting).entries;
  entries.push_back(entry);
  // A sensor that is silent for long has none of them forgotten by its frames.
  if (entries.size() > kMostRemembered) entries.pop_front();
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

void SettingsLog::witness(std::int64_t index, Nanoseconds start, Nanoseconds around) {
  for (const Setting setting : kSettings) {
    const auto& range = caps_[setting];
    const std::int64_t holder = index + (range ? range->delay : 0);
    for (Entry& entry : of(setting).entries) {
      if (!entry.placed || entry.from == kAlways) continue;
      if (start >= entry.begun - around) entry.earliest = std::min(entry.earliest, holder);
      if (start <= entry.done + around) entry.from = std::max(entry.from, holder + 1);
    }
  }
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
  if (!in_force.known && !uncertain) {
    // From before the first write.
    in_force = {reported, 0, true, true, true};
    return;
  }
  const auto& entries = of(setting).entries;
  const auto same = std::find_if(entries.rbegin(), entries.rend(), [&](const Entry& entry) {
    return is_close(setting, entry.value, reported);
  });
  if (same != entries.rend()) {
    in_force = {reported, same->revision, true, same->met, true};
    return;
  }
  // The sensor does as it likes, or has what was before the first write.
  in_force.value = reported;
  in_force.met = !in_force.known;
  in_force.known = true;
}

SettingsLog::Verdict SettingsLog::at(std::int64_t index, std::uint32_t due,
                                     const Settings& reported) const {
  Verdict verdict;
  std::array<InForce, kNumSettings> all;
  SettingsChange values;
  bool certain = true;
  for (const Setting setting : kSettings) {
    InForce& one = all[static_cast<std::size_t>(setting)];
    one = in_force(setting, index);
    if (caps_.reports) correct(one, setting, value_of(reported, setting));
    if (one.known) values[setting] = one.value;
    certain = certain && one.certain;
  }
  apply_to(verdict.settings, values);

  // Down from the newest that may hold until no setting is behind it. One that then is ahead belongs to a newer one.
  verdict.revision = due;
  bool refused = false;
  bool behind = true;
  while (behind) {
    behind = false;
    for (const Setting setting : kSettings) {
      const InForce& one = all[static_cast<std::size_t>(setting)];
      const std::uint32_t wanted = last_up_to(of(setting).asked, verdict.revision);
      const bool unmet = wanted == one.revision && !one.met;
      if (wanted <= one.revision && !unmet) continue;
      if (wanted == 0) {
        refused = refused || unmet;
        continue;
      }
      refused = refused || unmet || is_refused(setting, wanted);
      verdict.revision = wanted - 1;
      behind = true;
    }
  }
  bool ahead = false;
  for (const Setting setting : kSettings)
    ahead = ahead || all[static_cast<std::size_t>(setting)].revision >
                         last_up_to(of(setting).asked, verdict.revision);
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
    auto& entries = setting.entries;
    while (entries.size() > 1 && entries[1].placed && entries[1].from <= index) entries.pop_front();
    if (entries.empty() || !entries.front().placed || entries.front().from > index) continue;
    // What was asked before the oldest that may still hold decides nothing any more.
    const std::uint32_t oldest = entries.front().revision;
    auto& asked = setting.asked;
    while (asked.size() > 1 && asked[1] <= oldest) asked.erase(asked.begin());
    auto& refused = setting.refused;
    while (!refused.empty() && refused.front() < asked.front()) refused.erase(refused.begin());
  }
}

}  // namespace lockstep
