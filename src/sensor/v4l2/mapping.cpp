// SPDX-License-Identifier: MIT
#include "sensor/v4l2/mapping.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "core/printable.h"

namespace lockstep {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr double kNsPerMillisecond = 1e6;

// Further from the frame's length than that an exposure's maximum has another reason. Drivers leave 4 lines (imx219) to
// 48 (imx708).
constexpr std::int64_t kMostMargin = 256;

constexpr std::array kGains = {Setting::analogue_gain, Setting::digital_gain, Setting::red_gain,
                               Setting::blue_gain};

bool is_gain(Setting setting) {
  return std::find(kGains.begin(), kGains.end(), setting) != kGains.end();
}

std::string option(Setting setting, const char* which) {
  return std::string(to_string(setting)) + "-" + which;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

V4l2Scale linear(double ours_per_step, double offset = 0) {
  return {V4l2Scale::Kind::linear, offset, ours_per_step};
}

bool counts(const V4l2Control& control) {
  return control.type == V4L2_CTRL_TYPE_INTEGER || control.type == V4L2_CTRL_TYPE_INTEGER64;
}

// Goes through the settings, and notes why one is missing.
class Mapper {
 public:
  Mapper(const std::vector<V4l2Control>& controls, const V4l2SettingsOptions& options,
         V4l2FrameSize size)
      : controls_(controls), options_(options), size_(size) {}

  Result<V4l2Mapping> map() {
    mapping_.height = size_.height;
    if (auto mapped = map_exposure(); !mapped) return std::move(mapped).error();
    for (const Setting setting : kGains)
      if (auto mapped = map_gain(setting); !mapped) return std::move(mapped).error();
    map_frame_duration();
    if (auto once = each_control_once(); !once) return std::move(once).error();
    find_margin();
    for (const Setting setting : kSettings) find_range(setting);
    tell_missing();
    return std::move(mapping_);
  }

 private:
  const V4l2Control* find(std::uint32_t id) const {
    for (const V4l2Control& control : controls_)
      if (control.id == id) return &control;
    return nullptr;
  }

  // The control that the user names for it; nullptr: none is named.
  Result<const V4l2Control*> named(Setting setting) const {
    const std::string& name = options_[setting].control;
    if (name.empty()) return static_cast<const V4l2Control*>(nullptr);
    std::string names;
    for (const V4l2Control& control : controls_) {
      if (!counts(control) || control.flags & V4L2_CTRL_FLAG_READ_ONLY) continue;
      if (same_name(control.name, name)) return &control;
      names += (names.empty() ? "" : ", ") + quotable(control.name);
    }
    return Error{Errc::invalid_argument, 0,
                 option(setting, "control=") + quotable(name) + ", wanted one of " +
                     (names.empty() ? "none: nothing there can be set" : names)};
  }

  void add(Setting setting, const V4l2Control& control, const V4l2Scale& scale) {
    if (control.flags & V4L2_CTRL_FLAG_READ_ONLY || !counts(control)) {
      miss(setting, control.name + " cannot be set");
      return;
    }
    V4l2Mapping::Entry entry{control, scale, control.min, {}, 0};
    const auto switch_off = [&](std::uint32_t id, std::int64_t manual) {
      const V4l2Control* automatic = find(id);
      if (!automatic || automatic->flags & V4L2_CTRL_FLAG_READ_ONLY) return;
      entry.automatic = *automatic;
      entry.manual = manual;
    };
    if (setting == Setting::exposure) switch_off(V4L2_CID_EXPOSURE_AUTO, V4L2_EXPOSURE_MANUAL);
    if (setting == Setting::analogue_gain) switch_off(V4L2_CID_AUTOGAIN, 0);
    if (setting == Setting::red_gain || setting == Setting::blue_gain)
      switch_off(V4L2_CID_AUTO_WHITE_BALANCE, 0);
    mapping_[setting] = std::move(entry);
  }

  // Nothing: it is not known.
  std::optional<double> line_ns() const {
    const V4l2Control* blanking = find(V4L2_CID_HBLANK);
    const V4l2Control* rate = find(V4L2_CID_PIXEL_RATE);
    if (!blanking || !rate || rate->value <= 0 || size_.width == 0) return std::nullopt;
    return static_cast<double>(size_.width + blanking->value) * kNsPerSecond /
           static_cast<double>(rate->value);
  }

  Result<void> map_exposure() {
    auto chosen = named(Setting::exposure);
    if (!chosen) return std::move(chosen).error();
    const V4l2Control* control = *chosen;
    if (!control) control = find(V4L2_CID_EXPOSURE_ABSOLUTE);
    if (!control) control = find(V4L2_CID_EXPOSURE);
    const std::optional<double>& unity = options_[Setting::exposure].unity;
    const auto line = line_ns();
    if (!control) {
      miss(Setting::exposure, "no such control");
    } else if (unity) {
      add(Setting::exposure, *control, linear(kNsPerMillisecond / *unity));
    } else if (control->id == V4L2_CID_EXPOSURE_ABSOLUTE) {
      add(Setting::exposure, *control, linear(100'000));
    } else if (control->id == V4L2_CID_EXPOSURE && line) {
      add(Setting::exposure, *control, linear(*line));
    } else {
      miss(Setting::exposure, "V4L2 gives " + control->name +
                                  " no unit; name the value that is 1 ms with exposure-unity");
    }
    return {};
  }

  const V4l2Control* usual_control(Setting setting) const {
    switch (setting) {
      case Setting::analogue_gain: {
        const V4l2Control* analogue = find(V4L2_CID_ANALOGUE_GAIN);
        return analogue ? analogue : find(V4L2_CID_GAIN);
      }
      case Setting::digital_gain:
        return find(V4L2_CID_DIGITAL_GAIN);
      case Setting::red_gain:
        return find(V4L2_CID_RED_BALANCE);
      case Setting::blue_gain:
        return find(V4L2_CID_BLUE_BALANCE);
      case Setting::exposure:
      case Setting::frame_duration:
        break;
    }
    return nullptr;
  }

  std::optional<V4l2Scale> scale_of(const V4l2Control& control,
                                    const V4l2SettingOptions& told) const {
    using Kind = V4l2Scale::Kind;
    if (told.decibels)
      return V4l2Scale{Kind::decibels, told.unity.value_or(static_cast<double>(control.min)),
                       *told.decibels};
    if (told.reciprocal) return V4l2Scale{Kind::reciprocal, 0, *told.reciprocal};
    if (told.unity) return linear(1 / *told.unity);
    const bool begins_at_one = control.id == V4L2_CID_ANALOGUE_GAIN;
    const bool is_one_by_default = control.id == V4L2_CID_DIGITAL_GAIN ||
                                   control.id == V4L2_CID_RED_BALANCE ||
                                   control.id == V4L2_CID_BLUE_BALANCE;
    const std::int64_t one = begins_at_one       ? control.min
                             : is_one_by_default ? control.default_value
                                                 : 0;
    if (one <= 0) return std::nullopt;
    return linear(1 / static_cast<double>(one));
  }

  Result<void> map_gain(Setting setting) {
    auto chosen = named(setting);
    if (!chosen) return std::move(chosen).error();
    const V4l2Control* control = *chosen ? *chosen : usual_control(setting);
    if (!control) {
      const bool balance = setting == Setting::red_gain || setting == Setting::blue_gain;
      miss(setting, balance && find(V4L2_CID_WHITE_BALANCE_TEMPERATURE)
                        ? "white balance can be set as a temperature only"
                        : "no such control");
    } else if (const auto scale = scale_of(*control, options_[setting])) {
      add(setting, *control, *scale);
    } else {
      miss(setting, "V4L2 gives " + control->name + " no unit; name the value that is 1 with " +
                        option(setting, "unity"));
    }
    return {};
  }

  void map_frame_duration() {
    const V4l2Control* control = find(V4L2_CID_VBLANK);
    const auto line = line_ns();
    if (control && line) {
      add(Setting::frame_duration, *control, linear(*line, size_.height));
    } else {
      miss(Setting::frame_duration, control ? "without HBLANK and PIXEL_RATE the time of a line is "
                                              "not known"
                                            : "no control of vertical blanking, and the frame rate "
                                              "is fixed while streaming");
    }
  }

  Result<void> each_control_once() const {
    for (const Setting a : kSettings)
      for (const Setting b : kSettings)
        if (a < b && mapping_[a] && mapping_[b] &&
            mapping_[a]->control.id == mapping_[b]->control.id)
          return Error{Errc::invalid_argument, 0,
                       std::string(to_string(a)) + " and " + to_string(b) +
                           " by the same control, " + mapping_[a]->control.name};
    return {};
  }

  void find_margin() {
    const auto& exposure = mapping_[Setting::exposure];
    const auto& duration = mapping_[Setting::frame_duration];
    if (!exposure || !duration || exposure->control.id != V4L2_CID_EXPOSURE) return;
    const std::int64_t margin = size_.height + duration->control.value - exposure->control.max;
    if (margin >= 0 && margin <= kMostMargin) mapping_.exposure_margin = margin;
  }

  void find_range(Setting setting) {
    auto& entry = mapping_[setting];
    if (!entry) return;
    const V4l2Control& control = entry->control;
    std::int64_t max = control.max;
    if (setting == Setting::exposure && mapping_.exposure_margin)
      max =
          size_.height + mapping_[Setting::frame_duration]->control.max - *mapping_.exposure_margin;
    // No light at all is no setting.
    const auto lit = [&entry](std::int64_t value) {
      const double ours = entry->scale.to_ours(static_cast<double>(value));
      return std::isfinite(ours) && ours > 0;
    };
    if (!lit(entry->min) && entry->min < 0) entry->min += -entry->min / control.step * control.step;
    if (!lit(entry->min)) entry->min += control.step;
    if (entry->scale.kind == V4l2Scale::Kind::reciprocal)
      max = std::min(max, static_cast<std::int64_t>(std::ceil(entry->scale.factor)) - 1);
    if (entry->min > max || !lit(entry->min) || !lit(max)) {
      miss(setting, control.name + " has no value above 0");
      entry.reset();
      return;
    }
    SettingRange range;
    range.min = entry->scale.to_ours(static_cast<double>(entry->min));
    range.max = entry->scale.to_ours(static_cast<double>(max));
    if (entry->scale.kind == V4l2Scale::Kind::linear)
      range.step = entry->scale.factor * static_cast<double>(control.step);
    range.delay = options_[setting].delay;
    mapping_.caps[setting] = range;
  }

  void miss(Setting setting, std::string why) { missing_.emplace_back(setting, std::move(why)); }

  // Settings with one reason share it.
  void tell_missing() {
    std::vector<std::pair<std::string, std::string>> reasons;  // Settings; why.
    for (const auto& [setting, why] : missing_) {
      const auto known = std::find_if(reasons.begin(), reasons.end(),
                                      [&why = why](const auto& one) { return one.second == why; });
      if (known == reasons.end()) {
        reasons.emplace_back(to_string(setting), why);
      } else {
        known->first += std::string(", ") + to_string(setting);
      }
    }
    std::string& text = mapping_.caps.missing;
    for (const auto& [settings, why] : reasons)
      text += (text.empty() ? "" : "; ") + settings + ": " + why;
  }

  const std::vector<V4l2Control>& controls_;
  const V4l2SettingsOptions& options_;
  const V4l2FrameSize size_;
  V4l2Mapping mapping_;
  std::vector<std::pair<Setting, std::string>> missing_;
};

// The control's value that is nearest, within what it has.
std::int64_t value_for(const V4l2Mapping::Entry& entry, double ours, std::int64_t max) {
  const std::int64_t step = entry.control.step;
  max = std::max(max, entry.min);
  const double min = static_cast<double>(entry.min);
  const double last = static_cast<double>(max - (max - entry.min) % step);
  const double steps = std::round((entry.scale.to_control(ours) - min) / static_cast<double>(step));
  return static_cast<std::int64_t>(std::clamp(min + steps * static_cast<double>(step), min, last));
}

}  // namespace

V4l2SettingsOptions read_v4l2_settings_options(OptionReader& reader, const SensorSpec& spec) {
  constexpr double kSmallest = 1e-6;
  constexpr double kLargest = 1e12;
  const auto number = [&](const std::string& name, double min) -> std::optional<double> {
    const double value = reader.number(name, min, kLargest, 1);
    return spec.options.count(name) ? std::optional(value) : std::nullopt;
  };
  V4l2SettingsOptions options;
  options.subdevice = reader.text("subdev", "");
  for (const Setting setting : kSettings) {
    V4l2SettingOptions& one = options.of[static_cast<std::size_t>(setting)];
    if (setting != Setting::frame_duration)
      one.control = reader.text(option(setting, "control"), "");
    if (is_gain(setting)) {
      one.decibels = number(option(setting, "db"), kSmallest);
      one.reciprocal = number(option(setting, "reciprocal"), kSmallest);
    }
    if (setting != Setting::frame_duration)
      one.unity = number(option(setting, "unity"), one.decibels ? -kLargest : kSmallest);
    one.delay = static_cast<int>(reader.integer(option(setting, "delay"), 0, kMaxControlDelay, 1));
  }
  return options;
}

double V4l2Scale::to_ours(double value) const {
  switch (kind) {
    case Kind::linear:
      return (value + offset) * factor;
    case Kind::decibels:
      return std::pow(10, (value - offset) * factor / 20);
    case Kind::reciprocal:
      return factor / (factor - value);
  }
  return value;
}

double V4l2Scale::to_control(double ours) const {
  switch (kind) {
    case Kind::linear:
      return ours / factor - offset;
    case Kind::decibels:
      return offset + 20 * std::log10(ours) / factor;
    case Kind::reciprocal:
      return factor - factor / ours;
  }
  return ours;
}

Result<V4l2Mapping> map_v4l2_settings(const std::vector<V4l2Control>& controls,
                                      const V4l2SettingsOptions& options, V4l2FrameSize size) {
  return Mapper(controls, options, size).map();
}

V4l2Plan plan_v4l2_write(const V4l2Mapping& mapping, const SettingsChange& change) {
  V4l2Plan plan;
  const auto add = [&plan](const V4l2Mapping::Entry& entry, std::int64_t value) {
    plan.all.push_back({&entry.control, value});
  };
  const auto& duration = mapping[Setting::frame_duration];
  std::int64_t blanking = duration ? duration->control.value : 0;
  if (duration && change[Setting::frame_duration]) {
    blanking = value_for(*duration, *change[Setting::frame_duration], duration->control.max);
    add(*duration, blanking);
  }
  for (const Setting setting : kSettings) {
    const auto& entry = mapping[setting];
    if (!entry || !change[setting] || !entry->automatic) continue;
    const bool known = std::any_of(plan.all.begin(), plan.all.end(), [&](const auto& one) {
      return one.control->id == entry->automatic->id;
    });
    if (!known) plan.all.push_back({&*entry->automatic, entry->manual});
  }
  for (const Setting setting : kSettings) {
    const auto& entry = mapping[setting];
    if (!entry || !change[setting] || setting == Setting::frame_duration) continue;
    std::int64_t max = entry->control.max;
    if (setting == Setting::exposure && mapping.exposure_margin)
      max = mapping.height + blanking - *mapping.exposure_margin;
    const std::int64_t value = value_for(*entry, *change[setting], max);
    if (setting == Setting::exposure && value > entry->control.max &&
        change[Setting::frame_duration]) {
      plan.before.push_back({&duration->control, blanking});
      plan.all.erase(plan.all.begin());
    }
    add(*entry, value);
  }
  return plan;
}

}  // namespace lockstep
