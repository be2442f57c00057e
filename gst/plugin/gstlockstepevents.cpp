// SPDX-License-Identifier: MIT
#include "gstlockstepevents.h"

#include <utility>

#include "gstlocksteperror.h"
#include "gstlockstepmessages.h"

namespace lockstep {
namespace {

// Posts a warning that has `text` after the sensor's name, and a message with the error's own text.
void post_trouble(GstElement* element, guint sensor, const std::string& name,
                  const std::string& text, const char* message_name, const Error& error) {
  Error warning = error;
  warning.what = "sensor " + std::to_string(sensor) + " (" + name + ") " + text + ": " + error.what;
  post_warning(element, warning);
  auto message = sensor_message(message_name, sensor, name);
  set_text(message.get(), "text", error.what);
  post_message(element, std::move(message));
}

}  // namespace

void post_event(GstElement* element, const std::string& name, const RigEvent& event) {
  const auto sensor = static_cast<guint>(event.sensor);
  switch (event.kind) {
    case RigEvent::Kind::sensor_lost:
      post_trouble(element, sensor, name, "is lost, the others go on", "lockstep-sensor-lost",
                   event.error);
      break;
    case RigEvent::Kind::settings_refused:
      post_trouble(element, sensor, name, "did not take its settings, the last ones stay",
                   "lockstep-settings-refused", event.error);
      break;
    case RigEvent::Kind::no_settings:
      post_trouble(element, sensor, name, "goes on without control of its light",
                   "lockstep-no-settings", event.error);
      break;
    case RigEvent::Kind::light_refused:
      post_warning(element, event.error);
      break;
    case RigEvent::Kind::sensor_back:
      post_message(element, sensor_message("lockstep-sensor-back", sensor, name));
      break;
    case RigEvent::Kind::frames_dropped:
      post_dropped(element, sensor, name, event.reason, event.count);
      break;
  }
}

}  // namespace lockstep
