// SPDX-License-Identifier: MIT
#include "lockstep/settings.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/nanoseconds.h"

namespace lockstep {
namespace {

bool is_time(Setting setting) {
  return setting == Setting::exposure || setting == Setting::frame_duration;
}

std::string setting_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// "10 ms" or "2".
std::string value_text(Setting setting, double value) {
  if (!is_time(setting)) return setting_text(value);
  if (std::abs(value) >= 1e6) return setting_text(value / 1e6) + " ms";
  if (std::abs(value) >= 1e3) return setting_text(value / 1e3) + " us";
  return setting_text(value) + " ns";
}

}  // namespace

bool SettingsChange::empty() const {
  return std::none_of(values_.begin(), values_.end(),
                      [](const auto& value) { return value.has_value(); });
}

void SettingsChange::merge(const SettingsChange& other) {
  for (const Setting setting : kSettings)
    if (other[setting]) (*this)[setting] = other[setting];
}

std::string to_string(const SettingsChange& change) {
  std::string text;
  for (const Setting setting : kSettings) {
    if (!change[setting]) continue;
    text += (text.empty() ? "" : ", ") + std::string(to_string(setting)) + " " +
            value_text(setting, *change[setting]);
  }
  return text.empty() ? "nothing" : text;
}

double value_of(const Settings& settings, Setting setting) {
  switch (setting) {
    case Setting::exposure:
      return static_cast<double>(settings.exposure.count());
    case Setting::analogue_gain:
      return settings.analogue_gain;
    case Setting::digital_gain:
      return settings.digital_gain;
    case Setting::red_gain:
      return settings.red_gain;
    case Setting::blue_gain:
      return settings.blue_gain;
    case Setting::frame_duration:
      return static_cast<double>(settings.frame_duration.count());
  }
  return 0;
}

void apply_to(Settings& settings, const SettingsChange& change) {
  const auto& exposure = change[Setting::exposure];
  const auto& duration = change[Setting::frame_duration];
  if (exposure) settings.exposure = rounded(*exposure);
  if (duration) settings.frame_duration = rounded(*duration);
  settings.analogue_gain = change[Setting::analogue_gain].value_or(settings.analogue_gain);
  settings.digital_gain = change[Setting::digital_gain].value_or(settings.digital_gain);
  settings.red_gain = change[Setting::red_gain].value_or(settings.red_gain);
  settings.blue_gain = change[Setting::blue_gain].value_or(settings.blue_gain);
}

bool SettingsCaps::has_any() const {
  return std::any_of(ranges.begin(), ranges.end(),
                     [](const auto& range) { return range.has_value(); });
}

double nearest(const SettingRange& range, double value) {
  value = std::clamp(value, range.min, range.max);
  if (range.step <= 0) return value;
  const double stepped = range.min + std::round((value - range.min) / range.step) * range.step;
  return stepped > range.max ? stepped - range.step : stepped;
}

std::optional<SettingRange> common_range(std::span<const SettingsCaps> sensors, Setting setting) {
  std::optional<SettingRange> common;
  for (const SettingsCaps& sensor : sensors) {
    const auto& range = sensor[setting];
    if (!range) continue;
    if (!common) {
      common = range;
      continue;
    }
    common->min = std::max(common->min, range->min);
    common->max = std::min(common->max, range->max);
    common->step = std::max(common->step, range->step);
    common->delay = std::max(common->delay, range->delay);
  }
  if (common && common->min > common->max) return std::nullopt;
  return common;
}

Result<void> check(const SettingsChange& change, const SettingsCaps& caps) {
  for (const Setting setting : kSettings) {
    const auto& value = change[setting];
    if (!value) continue;
    const std::string name = to_string(setting);
    if (!std::isfinite(*value) || *value <= 0)
      return Error{Errc::invalid_argument, 0,
                   name + " of " + value_text(setting, *value) + ", wanted a number above 0"};
    const auto& range = caps[setting];
    if (!range)
      return Error{Errc::not_supported, 0,
                   "set " + name + ", the sensor has no such control" +
                       (caps.missing.empty() ? "" : " (" + caps.missing + ")")};
    // Half a step beyond an end is rounded to it; with no step, what rounding of doubles may cost.
    const double slack = std::max(range->step / 2, range->max * 1e-9);
    if (*value < range->min - slack || *value > range->max + slack)
      return Error{Errc::invalid_argument, 0,
                   name + " of " + value_text(setting, *value) + ", the sensor has " +
                       value_text(setting, range->min) + " to " + value_text(setting, range->max)};
  }
  return {};
}

}  // namespace lockstep
