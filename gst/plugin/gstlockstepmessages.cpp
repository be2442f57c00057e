// SPDX-License-Identifier: MIT
#include "gstlockstepmessages.h"

#include <utility>

namespace lockstep {

StructurePtr sensor_message(const char* what, guint sensor, const std::string& name) {
  return StructurePtr(gst_structure_new(what, "sensor", G_TYPE_UINT, sensor, "name", G_TYPE_STRING,
                                        name.c_str(), nullptr));
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
