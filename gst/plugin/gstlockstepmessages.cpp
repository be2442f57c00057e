// SPDX-License-Identifier: MIT
#include "gstlockstepmessages.h"

#include <utility>

#include "lockstep/printable.h"

namespace lockstep {

StructurePtr sensor_message(const char* what, guint sensor, const std::string& name) {
  StructurePtr message(gst_structure_new(what, "sensor", G_TYPE_UINT, sensor, nullptr));
  set_text(message.get(), "name", name);
  return message;
}

void set_text(GstStructure* structure, const char* field, const std::string& text) {
  gst_structure_set(structure, field, G_TYPE_STRING, printable(text, kMessageBytes).c_str(),
                    nullptr);
}

void post_message(GstElement* element, StructurePtr message) {
  gst_element_post_message(element,
                           gst_message_new_element(GST_OBJECT(element), message.release()));
}

void post_dropped(GstElement* element, guint sensor, const std::string& name, DropReason reason,
                  std::uint64_t count) {
  StructurePtr message = sensor_message("lockstep-frames-dropped", sensor, name);
  gst_structure_set(message.get(), "reason", G_TYPE_STRING, to_string(reason), "count",
                    G_TYPE_UINT64, guint64{count}, nullptr);
  post_message(element, std::move(message));
}

}  // namespace lockstep
