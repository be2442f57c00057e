// SPDX-License-Identifier: MIT
#include "sensor/v4l2/settings.h"

#include <utility>

namespace lockstep {
namespace {

SettingsChange only(Setting setting, const SettingsChange& of) {
  SettingsChange one;
  one[setting] = of[setting];
  return one;
}

}  // namespace

Result<void> V4l2Settings::find(const V4l2Node& node, V4l2FrameSize size) {
  auto mapping = map_v4l2_settings(find_v4l2_controls(node.call), options_, size);
  if (!mapping) {
    Error error = std::move(mapping).error();
    error.what += ": " + node.path;
    return error;
  }
  mapping_ = *std::move(mapping);
  return {};
}

Result<SettingsChange> V4l2Settings::write(const V4l2Node& node, const SettingsChange& change) {
  if (auto possible = check(change, mapping_.caps); !possible) {
    Error error = std::move(possible).error();
    error.what += ": " + node.path;
    return error;
  }
  if (change.empty()) return change;
  auto written = set(node, change);
  // Also where it failed, for a driver may have taken a part of it.
  const SettingsChange taken = read_back(node, change, static_cast<bool>(written));
  if (!written) return std::move(written).error();
  return taken;
}

Result<void> V4l2Settings::restore(const V4l2Node& node) {
  SettingsChange possible;
  for (const Setting setting : kSettings)
    if (held_[setting] && mapping_[setting]) possible[setting] = held_[setting];
  if (possible.empty()) return {};
  if (auto written = set(node, possible); !written) return written;
  read_back(node, possible, true);
  return {};
}

Result<void> V4l2Settings::set(const V4l2Node& node, const SettingsChange& change) {
  const V4l2Plan plan = plan_v4l2_write(mapping_, change);
  if (!plan.before.empty())
    if (auto written = write_v4l2_controls(node.call, plan.before, node.path); !written)
      return written;
  return write_v4l2_controls(node.call, plan.all, node.path);
}

SettingsChange V4l2Settings::read_back(const V4l2Node& node, const SettingsChange& change,
                                       bool written) {
  SettingsChange asked = change;
  if (change[Setting::frame_duration] && mapping_[Setting::exposure]) {
    requery(node.call, mapping_[Setting::exposure]->control);
    // A frame that became shorter may have shortened the exposure.
    if (held_[Setting::exposure]) asked.merge(only(Setting::exposure, held_));
  }
  asked.merge(change);
  std::vector<V4l2Control*> controls;
  for (const Setting setting : kSettings)
    if (asked[setting]) controls.push_back(&mapping_[setting]->control);
  const bool told = static_cast<bool>(read_v4l2_controls(node.call, controls));
  // A driver that does not tell is believed to have done as it was told, if it did not refuse.
  if (!told && !written) return {};
  SettingsChange taken;
  for (const Setting setting : kSettings) {
    if (!asked[setting]) continue;
    const V4l2Mapping::Entry& entry = *mapping_[setting];
    taken[setting] =
        told ? entry.scale.to_ours(static_cast<double>(entry.control.value)) : *asked[setting];
    if (!change[setting] && taken[setting] == held_[setting]) taken[setting].reset();
  }
  for (const Setting setting : kSettings)
    if (taken[setting] && (written || held_[setting])) held_[setting] = taken[setting];
  return taken;
}

}  // namespace lockstep
