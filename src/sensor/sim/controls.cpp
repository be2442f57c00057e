// SPDX-License-Identifier: MIT
#include "sensor/sim/controls.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lockstep {
namespace {

std::size_t index_of(Setting setting) { return static_cast<std::size_t>(setting); }

// What is still to come later than the newcomer gives way to it.
template <typename Queue, typename T>
void push(Queue& queue, std::uint64_t from, T value) {
  while (!queue.empty() && queue.back().from >= from) queue.pop_back();
  queue.push_back({from, value});
}

template <typename Queue>
auto value_at(const Queue& queue, std::uint64_t sequence) {
  std::size_t last = 0;
  while (last + 1 < queue.size() && queue[last + 1].from <= sequence) ++last;
  return queue[last].value;
}

}  // namespace

SimControls::SimControls(const Settings& first, const SettingsCaps& caps, Nanoseconds frame_period)
    : caps_(caps) {
  Settings start = first;
  if (start.frame_duration <= Nanoseconds(0)) start.frame_duration = frame_period;
  for (const Setting setting : kSettings)
    values_[index_of(setting)].push_back({0, value_of(start, setting)});
  revisions_.push_back({0, 0});
}

void SimControls::write(const SettingsChange& taken, std::optional<std::uint32_t> completes,
                        std::uint64_t first_sequence) {
  std::optional<int> quickest;
  for (const Setting setting : kSettings) {
    if (!taken[setting]) continue;
    const int delay = caps_[setting] ? caps_[setting]->delay : 0;
    push(values_[index_of(setting)], first_sequence + static_cast<std::uint64_t>(delay),
         *taken[setting]);
    quickest = std::min(quickest.value_or(delay), delay);
  }
  if (completes)
    push(revisions_, first_sequence + static_cast<std::uint64_t>(quickest.value_or(0)), *completes);
}

SimControls::InForce SimControls::at(std::uint64_t sequence) const {
  SettingsChange values;
  for (const Setting setting : kSettings)
    values.set(setting, value_at(values_[index_of(setting)], sequence));
  InForce in_force;
  apply_to(in_force.settings, values);
  Settings& settings = in_force.settings;
  settings.exposure = within_frame(settings.exposure, settings.frame_duration);
  in_force.revision = value_at(revisions_, sequence);
  return in_force;
}

Nanoseconds SimControls::within_frame(Nanoseconds exposure, Nanoseconds frame_duration) const {
  if (exposure <= frame_duration) return exposure;
  auto range = caps_[Setting::exposure];
  const auto most = static_cast<double>(frame_duration.count());
  if (!range || range->min > most) return frame_duration;
  range->max = std::min(range->max, most);
  return Nanoseconds(std::llround(nearest(*range, most)));
}

template <typename Apply>
void SimControls::for_each_queue(Apply apply) {
  for (auto& queue : values_) apply(queue);
  apply(revisions_);
}

void SimControls::forget_before(std::uint64_t sequence) {
  for_each_queue([sequence](auto& queue) {
    while (queue.size() > 1 && queue[1].from <= sequence) queue.pop_front();
  });
}

void SimControls::settle(std::uint64_t sequence) {
  for_each_queue([sequence](auto& queue) {
    queue.erase(queue.begin(), queue.end() - 1);
    queue.front().from = sequence;
  });
}

Result<SettingsChange> taken_by_sim(const SettingsChange& change, const SettingsCaps& caps) {
  SettingsChange taken;
  for (const Setting setting : kSettings) {
    const auto& value = change[setting];
    if (!value) continue;
    const std::string name = to_string(setting);
    const auto& range = caps[setting];
    if (!range)
      return Error{Errc::not_supported, 0,
                   "set " + name + ", the sensor has no such control" +
                       (caps.missing.empty() ? "" : " (" + caps.missing + ")")};
    if (std::isnan(*value))
      return Error{Errc::invalid_argument, 0, "set " + name + " to what is not a number"};
    taken.set(setting, nearest(*range, *value));
  }
  // Times are whole nanoseconds.
  for (const Setting setting : {Setting::exposure, Setting::frame_duration})
    if (auto& time = taken[setting]) time = std::round(*time);
  return taken;
}

}  // namespace lockstep
