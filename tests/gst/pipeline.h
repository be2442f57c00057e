// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "handles.h"

namespace lockstep {

/// Small frames, whatever their caps features.
inline constexpr const char* kSmall =
    " ! video/x-raw(ANY),format=NV12,width=160,height=96,framerate=30/1 ";

/// A pipeline that ends in a fakesink and calls `on_buffer` for each buffer, in the streaming thread.
class Pipeline {
 public:
  using OnBuffer = std::function<void(GstBuffer*)>;

  explicit Pipeline(const std::string& line, OnBuffer on_buffer = {})
      : on_buffer_(std::move(on_buffer)) {
    GError* error = nullptr;
    pipeline_.reset(gst_parse_launch((line + " ! fakesink name=end sync=false").c_str(), &error));
    if (error) {
      parse_error = error->message;
      g_error_free(error);
      return;
    }
    source_.reset(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "src"));
    std::unique_ptr<GstElement, Unref> end(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "end"));
    std::unique_ptr<GstPad, Unref> pad(gst_element_get_static_pad(end.get(), "sink"));
    gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, count, this, nullptr);
    bus_.reset(gst_element_get_bus(pipeline_.get()));
  }
  ~Pipeline() {
    if (pipeline_) gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  }

  GstStateChangeReturn set_state(GstState state) {
    return gst_element_set_state(pipeline_.get(), state);
  }
  MessagePtr wait_for(GstMessageType types, GstClockTime patience = 20 * GST_SECOND) {
    return MessagePtr(gst_bus_timed_pop_filtered(bus_.get(), patience, types));
  }
  /// Plays to the end; false with a test failure if an error came first.
  bool play_to_end() {
    set_state(GST_STATE_PLAYING);
    auto message = wait_for(static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    const bool ended = message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_EOS;
    EXPECT_TRUE(ended) << (message ? error_text(message.get()) : "nothing came");
    return ended;
  }
  bool wait_for_buffers(int num) {
    for (int tries = 0; tries < 1000 && num_buffers < num; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return num_buffers >= num;
  }
  StructurePtr stats() const {
    GstStructure* structure = nullptr;
    g_object_get(source_.get(), "stats", &structure, nullptr);
    return StructurePtr(structure);
  }
  std::string caps() const {
    std::unique_ptr<GstPad, Unref> pad(gst_element_get_static_pad(source_.get(), "src"));
    CapsPtr caps(gst_pad_get_current_caps(pad.get()));
    return caps ? CharsPtr(gst_caps_to_string(caps.get())).get() : "";
  }
  GstElement* source() const { return source_.get(); }
  GstElement* get() const { return pipeline_.get(); }

  static std::string error_text(GstMessage* message) {
    GError* error = nullptr;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
      gst_message_parse_warning(message, &error, nullptr);
    } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      gst_message_parse_error(message, &error, nullptr);
    } else {
      return GST_MESSAGE_TYPE_NAME(message);
    }
    std::string text = error->message;
    g_error_free(error);
    return text;
  }

  std::string parse_error;
  std::atomic<int> num_buffers{0};

 private:
  static GstPadProbeReturn count(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* self = static_cast<Pipeline*>(data);
    if (self->on_buffer_) self->on_buffer_(GST_PAD_PROBE_INFO_BUFFER(info));
    ++self->num_buffers;
    return GST_PAD_PROBE_OK;
  }

  OnBuffer on_buffer_;
  std::unique_ptr<GstElement, Unref> pipeline_;
  std::unique_ptr<GstElement, Unref> source_;
  std::unique_ptr<GstBus, Unref> bus_;
};

/// As much of a pipeline as a source named `src` of simulated sensors on a virtual clock.
inline std::string virtual_source(const std::string& sensor_options, int num_sensors,
                                  int num_buffers, const std::string& more = "") {
  return "lockstepsrc name=src sensors=\"sim?realtime=false" + sensor_options +
         "\" num-sensors=" + std::to_string(num_sensors) +
         " num-buffers=" + std::to_string(num_buffers) + " " + more;
}

}  // namespace lockstep
