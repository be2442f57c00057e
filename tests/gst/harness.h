// SPDX-License-Identifier: MIT
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>

#include <memory>
#include <string>

#include "batches.h"

namespace lockstep {

struct TearDown {
  void operator()(GstHarness* harness) const { gst_harness_teardown(harness); }
  void operator()(GstElement* element) const { gst_object_unref(element); }
  void operator()(GstEvent* event) const { gst_event_unref(event); }
  void operator()(GstQuery* query) const { gst_query_unref(query); }
};
using HarnessPtr = std::unique_ptr<GstHarness, TearDown>;
using ElementPtr = std::unique_ptr<GstElement, TearDown>;
using EventPtr = std::unique_ptr<GstEvent, TearDown>;
using QueryPtr = std::unique_ptr<GstQuery, TearDown>;

/// Collects what an element posts on its bus.
class Bus {
 public:
  explicit Bus(GstElement* element) : element_(element), bus_(gst_bus_new()) {
    gst_element_set_bus(element_, bus_);
  }
  ~Bus() {
    gst_element_set_bus(element_, nullptr);
    gst_object_unref(bus_);
  }
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  /// The text of the first error posted since the last call, empty if there is none.
  std::string take_error() { return take(GST_MESSAGE_ERROR); }
  /// The same of warnings.
  std::string take_warning() { return take(GST_MESSAGE_WARNING); }

 private:
  std::string take(GstMessageType type) {
    std::string text;
    if (GstMessage* message = gst_bus_pop_filtered(bus_, type)) {
      GError* error = nullptr;
      if (type == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, nullptr);
      } else {
        gst_message_parse_warning(message, &error, nullptr);
      }
      text = error->message;
      g_error_free(error);
      gst_message_unref(message);
    }
    gst_bus_set_flushing(bus_, TRUE);
    gst_bus_set_flushing(bus_, FALSE);
    return text;
  }

  GstElement* element_;
  GstBus* bus_;
};

/// Begins a stream of batches on the harness's element.
inline void play(GstHarness* harness, const Format& format, std::size_t num_slots,
                 const std::string& feature = "") {
  gst_harness_set_src_caps_str(harness, batch_caps(format, num_slots, feature).c_str());
}

/// Pushes a batch through the harness.
inline GstFlowReturn push(GstHarness* harness, const BatchPlan& plan) {
  return gst_harness_push(harness, make_batch(plan).release());
}

/// The next buffer that came out; null if none has.
inline BufferPtr pull(GstHarness* harness) { return BufferPtr(gst_harness_try_pull(harness)); }

}  // namespace lockstep
