// SPDX-License-Identifier: MIT
#include "gstlocksteplightcontrol.h"

#include <utility>

namespace lockstep {
namespace {

using Lock = std::unique_lock<std::mutex>;

}  // namespace

LightPlan LightControl::plan() const {
  Lock lock(mutex_);
  return asked_.plan;
}

SettingsChange LightControl::settings() const {
  Lock lock(mutex_);
  return asked_.settings;
}

void LightControl::edit(const std::function<void(LightPlan&)>& edit) {
  Lock lock(mutex_);
  edit(asked_.plan);
  plan_changed_ = true;
}

void LightControl::set(Setting setting, double value) {
  Lock lock(mutex_);
  if (value == 0) {
    asked_.settings[setting].reset();
    changed_[setting].reset();
  } else {
    asked_.settings.set(setting, value);
    changed_.set(setting, value);
  }
}

Result<void> LightControl::take_plan(const LightPlan& plan) {
  if (!rig_) return check(plan);
  const std::size_t num_sensors = rig_->num_sensors();
  if (auto valid = check(plan, num_sensors); !valid) return valid;
  const auto caps = rig_->settings_caps();
  for (std::size_t i = 0; i < num_sensors; ++i)
    if (auto valid = check_for_one(plan.sensors[i].override, caps, i); !valid) return valid;
  return rig_->set_light(plan.config_for(num_sensors));
}

Result<void> LightControl::take_settings(const SettingsChange& change) {
  if (!rig_) return check(change);
  const auto caps = rig_->settings_caps();
  if (auto valid = check_for_all(change, caps); !valid) return valid;
  if (auto revision = rig_->apply(change); !revision) return revision.error();
  return {};
}

void LightControl::tell_plan(const LightPlan& asked, std::vector<Error>& refused) {
  auto taken = take_plan(asked);
  if (taken) {
    taken_.plan = asked;
    return;
  }
  refused.push_back(taken.error());
  Lock lock(mutex_);
  if (asked_.plan == asked) asked_.plan = taken_.plan;
}

void LightControl::tell_settings(const SettingsChange& asked, const SettingsChange& changed,
                                 std::vector<Error>& refused) {
  auto taken = changed.empty() ? Result<void>() : take_settings(changed);
  for (const Setting setting : kSettings)
    if (taken || !changed[setting]) taken_.settings[setting] = asked[setting];
  if (taken) return;
  refused.push_back(taken.error());
  Lock lock(mutex_);
  for (const Setting setting : kSettings)
    if (changed[setting] && asked_.settings[setting] == changed[setting])
      asked_.settings[setting] = taken_.settings[setting];
}

std::vector<Error> LightControl::tell() {
  Asked asked;
  SettingsChange changed;
  bool plan_changed = false;
  {
    Lock lock(mutex_);
    asked = asked_;
    changed = std::exchange(changed_, {});
    plan_changed = std::exchange(plan_changed_, false);
  }
  std::vector<Error> refused;
  if (plan_changed) tell_plan(asked.plan, refused);
  tell_settings(asked.settings, changed, refused);
  return refused;
}

std::vector<Error> LightControl::hand_over() {
  Lock telling(telling_);
  return tell();
}

std::vector<Error> LightControl::drop_impossible_overrides() {
  std::vector<Error> refused;
  const auto caps = rig_->settings_caps();
  Lock lock(mutex_);
  for (std::size_t i = 0; i < caps.size(); ++i) {
    auto valid = check_for_one(asked_.plan.sensors[i].override, caps, i);
    if (valid) continue;
    refused.push_back(valid.error());
    asked_.plan.sensors[i].override = {};
  }
  return refused;
}

std::vector<Error> LightControl::begin(std::shared_ptr<Rig> rig) {
  Lock telling(telling_);
  rig_ = std::move(rig);
  taken_ = {};
  std::vector<Error> refused = drop_impossible_overrides();
  {
    Lock lock(mutex_);
    changed_ = asked_.settings;
    plan_changed_ = true;
  }
  for (Error& error : tell()) refused.push_back(std::move(error));
  return refused;
}

void LightControl::end() {
  Lock telling(telling_);
  rig_.reset();
}

Result<void> LightControl::apply_answer(std::span<const SettingsChange> answer) {
  Lock telling(telling_);
  if (!rig_ || rig_->light().mode != LightMode::application) return {};
  // Handlers tend to answer the same over and over: that is no revision each time.
  if (!asks_for_news(answer, rig_->settings_caps(), rig_->wanted_settings())) return {};
  if (auto revision = rig_->apply(answer); !revision) return revision.error();
  return {};
}

}  // namespace lockstep
