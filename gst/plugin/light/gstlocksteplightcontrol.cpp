// SPDX-License-Identifier: MIT
#include "gstlocksteplightcontrol.h"

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

using Lock = std::unique_lock<std::mutex>;

}  // namespace

void LightControl::Edit::apply_to(Asked& asked) const {
  for (const auto& step : steps) step(asked);
}

LightPlan LightControl::plan() const {
  Lock lock(mutex_);
  return asked_.plan;
}

SettingsChange LightControl::settings() const {
  Lock lock(mutex_);
  return asked_.settings;
}

LightControl::Edit& LightControl::add_step(std::function<void(Asked&)> step) {
  step(asked_);
  const auto self = std::this_thread::get_id();
  auto own = std::find_if(edits_.begin(), edits_.end(),
                          [self](const Edit& edit) { return edit.by == self; });
  if (own == edits_.end()) own = edits_.insert(own, Edit{self, {}, false, {}});
  own->steps.push_back(std::move(step));
  return *own;
}

void LightControl::edit(const std::function<void(LightPlan&)>& edit) {
  Lock lock(mutex_);
  add_step([edit](Asked& asked) { edit(asked.plan); }).of_plan = true;
}

void LightControl::set(Setting setting, double value) {
  const auto wanted = value == 0 ? std::nullopt : std::optional(value);
  Lock lock(mutex_);
  add_step([=](Asked& asked) { asked.settings[setting] = wanted; }).settings[setting] = wanted;
}

void LightControl::take_plan(const LightPlan& plan, std::vector<Refused>& refused) {
  auto valid = rig_ ? check(plan, rig_->num_sensors()) : check(plan);
  if (!valid) {
    refused.push_back({valid.error(), false});
    return;
  }
  // Of a valid plan the rig refuses overrides only.
  if (rig_) {
    if (auto set = rig_->set_light(plan.config_for(rig_->num_sensors())); !set) {
      refused.push_back({set.error(), true});
      return;
    }
  }
  taken_.plan = plan;
}

Result<void> LightControl::take_settings(const SettingsChange& change) const {
  if (auto valid = check(change); !valid || !rig_) return valid;
  if (auto revision = rig_->apply(change); !revision) return revision.error();
  return {};
}

void LightControl::take(const Edit& edit, std::vector<Refused>& refused) {
  Asked wanted = taken_;
  edit.apply_to(wanted);
  if (edit.of_plan) take_plan(wanted.plan, refused);
  const auto taken = edit.settings.empty() ? Result<void>() : take_settings(edit.settings);
  for (const Setting setting : kSettings)
    if (taken || !edit.settings[setting]) taken_.settings[setting] = wanted.settings[setting];
  if (!taken) refused.push_back({taken.error(), true});
}

// What is read back: what is in force, and what others have set meanwhile and is yet to be handed over.
void LightControl::show_taken() {
  Lock lock(mutex_);
  asked_ = taken_;
  for (const Edit& edit : edits_) edit.apply_to(asked_);
}

std::vector<LightControl::Refused> LightControl::hand_over() {
  Lock handing_over(handing_over_);
  std::vector<Edit> edits;
  {
    Lock lock(mutex_);
    edits = std::exchange(edits_, {});
  }
  std::vector<Refused> refused;
  for (const Edit& edit : edits) take(edit, refused);
  show_taken();
  return refused;
}

// An override that its sensor cannot be set to keeps no other from it.
void LightControl::take_all_plan(const LightPlan& plan, std::vector<Refused>& refused) {
  LightPlan more = plan;
  for (LightPlan::PerSensor& sensor : more.sensors) sensor.override = {};
  take_plan(more, refused);
  for (std::size_t i = 0; i < plan.sensors.size(); ++i) {
    if (plan.sensors[i].override.empty()) continue;
    more = taken_.plan;
    more.sensors[i].override = plan.sensors[i].override;
    take_plan(more, refused);
  }
}

// All that can be taken is one revision. The frame duration comes first: exposures must fit into it.
void LightControl::take_all_settings(const SettingsChange& settings,
                                     std::vector<Refused>& refused) {
  SettingsChange possible;
  for (auto setting = kSettings.rbegin(); setting != kSettings.rend(); ++setting) {
    if (!settings[*setting]) continue;
    const auto more = SettingsChange(possible).set(*setting, *settings[*setting]);
    if (check(more) && rig_->check_settings({&more, 1}))
      possible = more;
    else if (auto taken = take_settings(more); !taken)
      refused.push_back({taken.error(), true});
  }
  if (possible.empty()) return;
  if (auto taken = take_settings(possible); taken)
    taken_.settings = possible;
  else
    refused.push_back({taken.error(), true});
}

std::vector<LightControl::Refused> LightControl::begin(std::shared_ptr<Rig> rig) {
  Lock handing_over(handing_over_);
  rig_ = std::move(rig);
  taken_ = {};
  Asked all;
  {
    Lock lock(mutex_);
    all = asked_;
    edits_.clear();
  }
  std::vector<Refused> refused;
  take_all_plan(all.plan, refused);
  take_all_settings(all.settings, refused);
  show_taken();
  return refused;
}

void LightControl::end() {
  Lock handing_over(handing_over_);
  rig_.reset();
}

Result<void> LightControl::apply_answer(std::span<const SettingsChange> answer) {
  Lock handing_over(handing_over_);
  if (!rig_ || rig_->light().mode != LightMode::application) return {};
  // Handlers tend to answer the same over and over: that is no revision each time.
  if (!asks_for_news(answer, rig_->settings_caps(), rig_->wanted_settings())) return {};
  if (auto revision = rig_->apply(answer); !revision) return revision.error();
  return {};
}

}  // namespace lockstep
