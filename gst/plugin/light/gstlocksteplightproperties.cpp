// SPDX-License-Identifier: MIT
#include "gstlocksteplightproperties.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace lockstep {
namespace {

enum LightProperty : guint {
  PROP_LIGHT_MODE = kFirstSettingsProperty + kNumSettings,
  PROP_LIGHT_TARGET,
  PROP_MAX_EXPOSURE,
  PROP_MAX_GAIN,
  PROP_ANTIFLICKER,
  PROP_WHITE_BALANCE,
  PROP_LIGHT_LEADER,
  PROP_METERING,
  PROP_METERING_WEIGHTS,
  PROP_ALIGN_EXPOSURES,
  PROP_ALWAYS_METER,
  PROP_END,
};

// How a setting is shown to users.
struct Shown {
  const char* name;
  const char* nick;
  const char* blurb;
  bool is_time;
};

constexpr Shown kShown[] = {
    {"exposure-time", "Exposure time", "Exposure time", true},
    {"analogue-gain", "Analogue gain", "Analogue gain", false},
    {"digital-gain", "Digital gain", "Digital gain", false},
    {"red-gain", "Red gain", "White balance of red, relative to green,", false},
    {"blue-gain", "Blue gain", "White balance of blue, relative to green,", false},
    {"frame-duration", "Frame duration", "Time from one start of exposure to the next", true},
};
static_assert(std::size(kShown) == kNumSettings);

const Shown& shown(Setting setting) { return kShown[static_cast<std::size_t>(setting)]; }

GParamFlags at_any_time() { return writable(GParamFlags(GST_PARAM_MUTABLE_PLAYING)); }

// What the sensors at hand can do is known later: what is beyond that is refused with a message on the bus.
GParamSpec* number_spec(const char* name, const char* nick, const char* blurb, double min,
                        double max, double value) {
  return g_param_spec_double(name, nick, blurb, min, max, value, at_any_time());
}

Antiflicker antiflicker_of(gint value) {
  if (value == kAntiflicker50) return Antiflicker::mains_50_hz;
  if (value == kAntiflicker60) return Antiflicker::mains_60_hz;
  return Antiflicker::off;
}

gint value_of(Antiflicker antiflicker) {
  switch (antiflicker) {
    case Antiflicker::off:
      return kAntiflickerOff;
    case Antiflicker::mains_50_hz:
      return kAntiflicker50;
    case Antiflicker::mains_60_hz:
      return kAntiflicker60;
  }
  return kAntiflickerOff;
}

void install_how(GObjectClass* object_class) {
  const LightConfig usual;
  g_object_class_install_property(
      object_class, PROP_LIGHT_MODE,
      g_param_spec_enum("light-mode", "Light mode", "Who decides on the settings of the sensors",
                        light_mode_type(), static_cast<int>(usual.mode), at_any_time()));
  g_object_class_install_property(
      object_class, PROP_LIGHT_TARGET,
      number_spec("light-target", "Light target",
                  "Linear brightness that automatic modes aim at, as a share of full scale", 0.01,
                  0.9, usual.target));
  g_object_class_install_property(
      object_class, PROP_MAX_EXPOSURE,
      g_param_spec_uint64("max-exposure", "Longest exposure",
                          "Longest exposure of automatic modes, in ns: beyond it they use gain "
                          "(0: as long as the frame duration allows)",
                          0, G_MAXINT64, 0, at_any_time()));
  g_object_class_install_property(
      object_class, PROP_MAX_GAIN,
      number_spec("max-gain", "Most gain",
                  "Most of analogue times digital gain that automatic modes use, a factor", 1,
                  G_MAXDOUBLE, usual.max_gain));
  g_object_class_install_property(
      object_class, PROP_ANTIFLICKER,
      g_param_spec_enum("antiflicker", "Antiflicker",
                        "Mains that lamps flicker with: automatic modes expose for whole periods "
                        "of the flicker where the exposure is no shorter than one",
                        antiflicker_type(), kAntiflickerOff, at_any_time()));
  g_object_class_install_property(
      object_class, PROP_WHITE_BALANCE,
      g_param_spec_boolean("white-balance", "White balance",
                           "Whether automatic modes set red and blue gain too", usual.white_balance,
                           at_any_time()));
  g_object_class_install_property(
      object_class, PROP_LIGHT_LEADER,
      g_param_spec_uint("light-leader", "Light leader",
                        "The sensor that the others follow with light-mode=follow, counted from 0",
                        0, kMaxSensors - 1, 0, at_any_time()));
}

void install_metering(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, PROP_METERING,
      g_param_spec_enum("metering", "Metering", "What part of the pictures is metered",
                        metering_type(), static_cast<int>(MeteringPattern::average),
                        at_any_time()));
  g_object_class_install_property(
      object_class, PROP_METERING_WEIGHTS,
      gst_param_spec_array(
          "metering-weights", "Metering weights",
          "How much each part of the pictures counts, in place of `metering`: rows of doubles of 0 "
          "or more, stretched over the picture, such as <<1.0,1.0>,<3.0,3.0>> (empty: as "
          "`metering` says)",
          gst_param_spec_array("row", "Row", "Weights from left to right",
                               g_param_spec_double("weight", "Weight", "How much a part counts", 0,
                                                   G_MAXFLOAT, 1, at_any_time()),
                               at_any_time()),
          at_any_time()));
  g_object_class_install_property(
      object_class, PROP_ALWAYS_METER,
      g_param_spec_boolean("always-meter", "Always meter",
                           "Whether frames are metered though light-mode needs it not, for "
                           "GstLockstepBatchMeta to tell",
                           FALSE, at_any_time()));
  g_object_class_install_property(
      object_class, PROP_ALIGN_EXPOSURES,
      g_param_spec_boolean("align-exposures", "Align exposures",
                           "Whether sensors without a common trigger are held together by small "
                           "changes of their frame durations",
                           FALSE, at_any_time()));
}

using PlanEdit = std::function<void(LightPlan&)>;

template <typename T>
PlanEdit sets(T LightConfig::*member, T value) {
  return [=](LightPlan& plan) { plan.config.*member = value; };
}

// What a property changes; a copy of its value, which does not outlive the call that sets it.
PlanEdit edit_of(guint id, const GValue* value) {
  switch (id) {
    case PROP_LIGHT_MODE:
      return sets(&LightConfig::mode, static_cast<LightMode>(g_value_get_enum(value)));
    case PROP_LIGHT_TARGET:
      return sets(&LightConfig::target, g_value_get_double(value));
    case PROP_MAX_EXPOSURE:
      return sets(&LightConfig::max_exposure,
                  optional_time(g_value_get_uint64(value)).value_or(Nanoseconds(0)));
    case PROP_MAX_GAIN:
      return sets(&LightConfig::max_gain, g_value_get_double(value));
    case PROP_ANTIFLICKER:
      return sets(&LightConfig::antiflicker, antiflicker_of(g_value_get_enum(value)));
    case PROP_WHITE_BALANCE:
      return sets(&LightConfig::white_balance, g_value_get_boolean(value) != FALSE);
    case PROP_LIGHT_LEADER:
      return sets(&LightConfig::leader, std::size_t{g_value_get_uint(value)});
    case PROP_METERING:
      return [pattern = static_cast<MeteringPattern>(g_value_get_enum(value))](LightPlan& plan) {
        plan.pattern = pattern;
      };
    case PROP_ALIGN_EXPOSURES:
      return sets(&LightConfig::align_exposures, g_value_get_boolean(value) != FALSE);
    case PROP_ALWAYS_METER:
      return sets(&LightConfig::always_meter, g_value_get_boolean(value) != FALSE);
    default:
      return [](LightPlan&) {};
  }
}

}  // namespace

const char* property_name(Setting setting) { return shown(setting).name; }

void install_settings_properties(GObjectClass* object_class, const char* of_what,
                                 const char* unset) {
  for (const Setting setting : kSettings) {
    const Shown& its = shown(setting);
    const std::string blurb = std::string(its.blurb) + " " + of_what +
                              (its.is_time ? ", in ns" : ", a factor") +
                              "; what sensors can do is in `stats` (0: " + unset + ")";
    const guint id = kFirstSettingsProperty + static_cast<guint>(setting);
    // GObject copies what is not said to be static, such as this blurb.
    const auto flags = static_cast<GParamFlags>(at_any_time() & ~G_PARAM_STATIC_BLURB);
    g_object_class_install_property(
        object_class, id,
        its.is_time
            ? g_param_spec_uint64(its.name, its.nick, blurb.c_str(), 0, G_MAXINT64 / 2, 0, flags)
            : g_param_spec_double(its.name, its.nick, blurb.c_str(), 0, G_MAXDOUBLE, 0, flags));
  }
}

std::optional<Setting> setting_of_property(guint id) {
  if (id < kFirstSettingsProperty || id >= kFirstSettingsProperty + kNumSettings)
    return std::nullopt;
  return static_cast<Setting>(id - kFirstSettingsProperty);
}

double get_setting(const GValue* value) { return number_of(value).value_or(0); }

void set_setting(GValue* value, const std::optional<double>& setting) {
  if (G_VALUE_HOLDS_UINT64(value))
    g_value_set_uint64(value, static_cast<guint64>(setting.value_or(0)));
  else
    g_value_set_double(value, setting.value_or(0));
}

void install_light_properties(GObjectClass* object_class) {
  install_settings_properties(object_class, "of all sensors", "as it is");
  install_how(object_class);
  install_metering(object_class);
}

bool is_light_property(guint id) { return id >= kFirstSettingsProperty && id < PROP_END; }

Result<void> set_light_property(LightControl& control, guint id, const GValue* value) {
  if (const auto setting = setting_of_property(id)) {
    control.set(*setting, get_setting(value));
    return {};
  }
  if (id == PROP_METERING_WEIGHTS) {
    auto map = weight_map_of(value);
    if (!map) return map.error();
    control.edit([map = *std::move(map)](LightPlan& plan) { plan.metering_weights = map; });
    return {};
  }
  control.edit(edit_of(id, value));
  return {};
}

void get_light_property(const LightControl& control, guint id, GValue* value) {
  if (const auto setting = setting_of_property(id)) {
    set_setting(value, control.settings()[*setting]);
    return;
  }
  const LightPlan plan = control.plan();
  const LightConfig& config = plan.config;
  switch (id) {
    case PROP_LIGHT_MODE:
      return g_value_set_enum(value, static_cast<int>(config.mode));
    case PROP_LIGHT_TARGET:
      return g_value_set_double(value, config.target);
    case PROP_MAX_EXPOSURE:
      return g_value_set_uint64(value, static_cast<guint64>(config.max_exposure.count()));
    case PROP_MAX_GAIN:
      return g_value_set_double(value, config.max_gain);
    case PROP_ANTIFLICKER:
      return g_value_set_enum(value, value_of(config.antiflicker));
    case PROP_WHITE_BALANCE:
      return g_value_set_boolean(value, config.white_balance);
    case PROP_LIGHT_LEADER:
      return g_value_set_uint(value, static_cast<guint>(config.leader));
    case PROP_METERING:
      return g_value_set_enum(value, static_cast<int>(plan.pattern));
    case PROP_METERING_WEIGHTS:
      return set_weight_map(value, plan.metering_weights);
    case PROP_ALIGN_EXPOSURES:
      return g_value_set_boolean(value, config.align_exposures);
    case PROP_ALWAYS_METER:
      return g_value_set_boolean(value, config.always_meter);
    default:
      return;
  }
}

}  // namespace lockstep
