// SPDX-License-Identifier: MIT
#include "gstlockstepsourcelight.h"

#include <utility>

#include "gstlocksteperror.h"
#include "gstlocksteplightproperties.h"

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

void SourceLight::warn(const Error& error) {
  GstBus* bus = gst_element_get_bus(source_.element);
  if (bus) {
    gst_object_unref(bus);
    post_warning(source_.element, error);
    return;
  }
  std::lock_guard lock(mutex_);
  untold_.push_back(error);
}

void SourceLight::set_property(guint id, const GValue* value) {
  if (auto set = set_light_property(*control_, id, value); !set) warn(set.error());
}

void SourceLight::get_property(guint id, GValue* value) const {
  get_light_property(*control_, id, value);
}

void SourceLight::hand_over() {
  for (const Error& error : control_->hand_over()) warn(error);
}

GObject* SourceLight::child(std::size_t index) { return children_.get(index); }

GObject* SourceLight::child(const char* name) {
  const auto index = SensorChildren::index_of(name);
  return index ? children_.get(*index) : nullptr;
}

void SourceLight::forget_children() { children_.forget(); }

std::vector<Error> SourceLight::take_untold() {
  std::lock_guard lock(mutex_);
  return std::exchange(untold_, {});
}

Result<void> SourceLight::configure(RigConfig& config) {
  for (const Error& error : take_untold()) warn(error);
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
  for (const Error& error : control_->begin(rig)) warn(error);
}

void SourceLight::end() {
  algorithm_->stop();
  control_->end();
}

LightStats SourceLight::stats(const Rig& rig) const {
  return {rig.settings_caps(), rig.wanted_settings(), algorithm_->num_skipped()};
}

}  // namespace lockstep
