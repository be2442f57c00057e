// SPDX-License-Identifier: MIT
// Light: settings that are asked for, and who asks.
#include <utility>

#include "rig/state.h"

namespace lockstep {

Result<std::uint32_t> Rig::apply(const SettingsChange& change) {
  return apply(std::span(&change, 1));
}

Result<std::uint32_t> Rig::apply(std::span<const SettingsChange> per_sensor) {
  const std::uint32_t revision = ++state_->settings_revision;
  for (std::size_t i = 0; i < state_->sensors.size(); ++i) {
    const SettingsChange& change = per_sensor[per_sensor.size() == 1 ? 0 : i];
    if (auto written = state_->sensors[i].sensor->write(change, revision, now()); !written)
      return written.error();
  }
  return revision;
}

Result<void> Rig::set_light(const LightConfig& config) {
  if (auto valid = check(config, num_sensors()); !valid) return valid;
  state_->config.light = config;
  return {};
}

LightConfig Rig::light() const { return state_->config.light; }

std::vector<SettingsCaps> Rig::settings_caps() const {
  std::vector<SettingsCaps> caps;
  for (const RigSensor& sensor : state_->sensors) caps.push_back(sensor.sensor->settings_caps());
  return caps;
}

std::vector<Settings> Rig::wanted_settings() const { return std::vector<Settings>(num_sensors()); }

}  // namespace lockstep
