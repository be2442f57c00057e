// SPDX-License-Identifier: MIT
#include "gstlockstepsourcelight.h"

#include <utility>

#include "gstlocksteperror.h"
#include "gstlocksteplightproperties.h"
#include "gstlockstepmessages.h"

namespace lockstep {

SourceLight::SourceLight(Source source)
    : source_(std::move(source)),
      control_(std::make_shared<LightControl>()),
      algorithm_(std::make_shared<SignalAlgorithm>(
          SignalAlgorithm::Element{source_.element, source_.signal, source_.running_time,
                                   [control = control_](std::span<const SettingsChange> answer) {
                                     return control->apply_answer(answer);
                                   }})),
      children_(GST_OBJECT(source_.element), control_, {[this] { hand_over(); }, source_.spec_of}) {
}

void SourceLight::report(const LightControl::Refused& refused) {
  GstBus* bus = gst_element_get_bus(source_.element);
  if (!bus) {
    std::lock_guard lock(mutex_);
    unreported_.push_back(refused);
    return;
  }
  gst_object_unref(bus);
  post_warning(source_.element, refused.error);
  if (refused.is_setting)
    post_message(source_.element,
                 StructurePtr(gst_structure_new("lockstep-settings-refused", "text", G_TYPE_STRING,
                                                refused.error.what.c_str(), nullptr)));
}

void SourceLight::set_property(guint id, const GValue* value) {
  if (auto set = set_light_property(*control_, id, value); !set) report({set.error(), false});
}

void SourceLight::get_property(guint id, GValue* value) const {
  get_light_property(*control_, id, value);
}

void SourceLight::hand_over() {
  for (const auto& refused : control_->hand_over()) report(refused);
}

GObject* SourceLight::child(std::size_t index) { return children_.get(index); }

GObject* SourceLight::child(const char* name) {
  const auto index = SensorChildren::index_of(name);
  return index ? children_.get(*index) : nullptr;
}

void SourceLight::forget_children() { children_.forget(); }

std::vector<LightControl::Refused> SourceLight::take_unreported() {
  std::lock_guard lock(mutex_);
  return std::exchange(unreported_, {});
}

Result<void> SourceLight::configure(RigConfig& config) {
  for (const auto& refused : take_unreported()) report(refused);
  const LightPlan plan = control_->plan();
  if (auto valid = check(plan, config.sensors.size()); !valid) return valid;
  config.light = plan.config_for(config.sensors.size());
  // Whether the sensors have what they are to be overridden with is known once they are configured.
  config.light.overrides.clear();
  config.algorithm = algorithm_;
  return {};
}

void SourceLight::begin(const std::shared_ptr<Rig>& rig) {
  // Virtual time waits for whoever is asked; real time does not.
  algorithm_->start(rig->clock() != Clock::simulated);
  for (const auto& refused : control_->begin(rig)) report(refused);
}

void SourceLight::end() {
  algorithm_->stop();
  control_->end();
}

LightStats SourceLight::stats(const Rig& rig) const {
  return {rig.settings_caps(), rig.wanted_settings(), algorithm_->num_skipped(),
          algorithm_->num_refused()};
}

}  // namespace lockstep
