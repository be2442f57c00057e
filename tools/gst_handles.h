// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <memory>
#include <string>

namespace lockstep::tools {

struct Release {
  void operator()(GstElement* element) const { gst_object_unref(element); }
  void operator()(GstElementFactory* factory) const { gst_object_unref(factory); }
  void operator()(GstBus* bus) const { gst_object_unref(bus); }
  void operator()(GstPad* pad) const { gst_object_unref(pad); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstSample* sample) const { gst_sample_unref(sample); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
  void operator()(GError* error) const { g_error_free(error); }
  void operator()(char* text) const { g_free(text); }
};

/// One reference, or the whole of what has no count.
template <typename T>
using Owned = std::unique_ptr<T, Release>;

/// A pipeline, which is stopped before it is let go.
struct StopAndRelease {
  void operator()(GstElement* pipeline) const {
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
  }
};
using PipelinePtr = std::unique_ptr<GstElement, StopAndRelease>;

/// Whether the message comes from an element of our own plugin.
inline bool is_ours(GstMessage* message) {
  if (!GST_IS_ELEMENT(GST_MESSAGE_SRC(message))) return false;
  GstElementFactory* factory = gst_element_get_factory(GST_ELEMENT(GST_MESSAGE_SRC(message)));
  if (!factory) return false;
  return g_strcmp0(gst_plugin_feature_get_plugin_name(GST_PLUGIN_FEATURE(factory)), "lockstep") ==
         0;
}

/// What an error or a warning on the bus says, in one line: text, and what stands behind it. Our own
/// elements say all in the text.
inline std::string message_text(GstMessage* message) {
  GError* error = nullptr;
  char* debug = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, &debug);
  } else {
    gst_message_parse_warning(message, &error, &debug);
  }
  const Owned<GError> error_guard(error);
  const Owned<char> debug_guard(debug);
  std::string text = error->message;
  if (is_ours(message)) return text;
  // GStreamer's debug text is "file(line): function (): path:\n<what was given as detail>".
  const std::string detail = debug ? debug : "";
  if (const auto line = detail.rfind('\n'); line != std::string::npos)
    text += " (" + detail.substr(line + 1) + ")";
  return text;
}

}  // namespace lockstep::tools
