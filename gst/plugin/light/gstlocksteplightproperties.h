// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <optional>

#include "gstlocksteplightcontrol.h"

namespace lockstep {

/// Ids of the properties that lockstepsrc and its children have for the settings: this and those that follow, in the
/// order of kSettings.
inline constexpr guint kFirstSettingsProperty = 100;

/// Name of the property, or of a field of a structure, for a setting: "exposure-time", "analogue-gain" ...
const char* property_name(Setting setting);

/// A property for each setting. `of_what` ends the sentence that describes it, `unset` says what 0 means.
void install_settings_properties(GObjectClass* object_class, const char* of_what,
                                 const char* unset);
/// The setting that a property is for, if it is for one.
std::optional<Setting> setting_of_property(guint id);
/// What a property holds, as a value of SettingsChange; the reverse, 0 where it is not set.
double get_setting(const GValue* value);
void set_setting(GValue* value, const std::optional<double>& setting);

/// Who decides on the light and how, and the settings of all sensors: properties of lockstepsrc.
void install_light_properties(GObjectClass* object_class);
/// Whether `id` is one of them.
bool is_light_property(guint id);
/// \errors  invalid_argument  a value that says nothing; nothing is changed.
Result<void> set_light_property(LightControl& control, guint id, const GValue* value);
void get_light_property(const LightControl& control, guint id, GValue* value);

}  // namespace lockstep
