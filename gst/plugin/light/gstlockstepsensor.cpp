// SPDX-License-Identifier: MIT
#include "gstlockstepsensor.h"

#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "gstlocksteplightproperties.h"

namespace {

using lockstep::LightControl;
using lockstep::LightPlan;
using lockstep::SensorChildren;

struct State {
  std::shared_ptr<LightControl> control;  // constant once made
  SensorChildren::Source source;          // constant; called with a reference to the parent only
  std::size_t index = 0;                  // constant
};

enum : guint { PROP_WEIGHT = 1, PROP_SPEC };

}  // namespace

struct _GstLockstepSensor {
  GstObject parent;
  State* state;
};

G_DEFINE_TYPE(GstLockstepSensor, gst_lockstep_sensor, GST_TYPE_OBJECT)

namespace {

void set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  const State& state = *GST_LOCKSTEP_SENSOR(object)->state;
  const auto setting = lockstep::setting_of_property(id);
  if (!setting && id != PROP_WEIGHT) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    return;
  }
  const double wanted = setting ? lockstep::get_setting(value) : g_value_get_double(value);
  state.control->edit([=, index = state.index](LightPlan& plan) {
    LightPlan::PerSensor& own = plan.sensors[index];
    if (!setting) {
      own.weight = wanted;
    } else if (wanted == 0) {
      own.override[*setting].reset();
    } else {
      own.override.set(*setting, wanted);
    }
  });
}

// Calls `use` unless the source has let go of the sensor; it lives on until `use` returns.
template <typename Use>
void with_source(GstLockstepSensor* self, Use use) {
  GstObject* parent = gst_object_get_parent(GST_OBJECT(self));
  if (!parent) return;
  use(self->state->source);
  gst_object_unref(parent);
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  auto* self = GST_LOCKSTEP_SENSOR(object);
  if (id == PROP_SPEC) {
    with_source(self, [&](const SensorChildren::Source& source) {
      g_value_set_string(value, source.spec_of(self->state->index).c_str());
    });
    return;
  }
  const LightPlan::PerSensor own = self->state->control->plan().sensors[self->state->index];
  if (const auto setting = lockstep::setting_of_property(id)) {
    lockstep::set_setting(value, own.override[*setting]);
  } else if (id == PROP_WEIGHT) {
    g_value_set_double(value, own.weight);
  } else {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

void dispatch_properties_changed(GObject* object, guint num, GParamSpec** specs) {
  with_source(GST_LOCKSTEP_SENSOR(object),
              [](const SensorChildren::Source& source) { source.hand_over(); });
  G_OBJECT_CLASS(gst_lockstep_sensor_parent_class)->dispatch_properties_changed(object, num, specs);
}

void finalize(GObject* object) {
  delete GST_LOCKSTEP_SENSOR(object)->state;
  G_OBJECT_CLASS(gst_lockstep_sensor_parent_class)->finalize(object);
}

}  // namespace

static void gst_lockstep_sensor_class_init(GstLockstepSensorClass* klass) {
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->dispatch_properties_changed = dispatch_properties_changed;
  object_class->finalize = finalize;
  lockstep::install_settings_properties(
      object_class, "of this sensor, whatever is asked of the others", "as the others");
  g_object_class_install_property(
      object_class, PROP_WEIGHT,
      g_param_spec_double("weight", "Weight", "How much this sensor counts with light-mode=shared",
                          0, G_MAXDOUBLE, 1,
                          lockstep::writable(GParamFlags(GST_PARAM_MUTABLE_PLAYING))));
  g_object_class_install_property(
      object_class, PROP_SPEC,
      g_param_spec_string("spec", "Specification", "The sensor as `sensors` names it", "",
                          GParamFlags(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
}

static void gst_lockstep_sensor_init(GstLockstepSensor* self) { self->state = new State; }

namespace lockstep {

constexpr std::string_view kPrefix = "sensor_";

SensorChildren::SensorChildren(GstObject* parent, std::shared_ptr<LightControl> control,
                               Source source)
    : parent_(parent), control_(std::move(control)), source_(std::move(source)) {}

SensorChildren::~SensorChildren() { forget(); }

GObject* SensorChildren::get(std::size_t index) {
  if (index >= children_.size()) return nullptr;
  GST_OBJECT_LOCK(parent_);
  GstObject*& child = children_[index];
  if (!child) {
    const std::string name = std::string(kPrefix) + std::to_string(index);
    auto* made =
        GST_LOCKSTEP_SENSOR(g_object_new(GST_TYPE_LOCKSTEP_SENSOR, "name", name.c_str(), nullptr));
    *made->state = {control_, source_, index};
    child = GST_OBJECT(made);
    gst_object_set_parent(child, parent_);
  }
  auto* found = G_OBJECT(gst_object_ref(child));
  GST_OBJECT_UNLOCK(parent_);
  return found;
}

std::optional<std::size_t> SensorChildren::index_of(const char* name) {
  const std::string_view text(name);
  if (text.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  const std::string_view digits = text.substr(kPrefix.size());
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return index;
}

void SensorChildren::forget() {
  GST_OBJECT_LOCK(parent_);
  const auto children = std::exchange(children_, {});
  GST_OBJECT_UNLOCK(parent_);
  for (GstObject* child : children)
    if (child) gst_object_unparent(child);
}

}  // namespace lockstep
