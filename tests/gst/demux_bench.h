// SPDX-License-Identifier: MIT
#pragma once

#include <gst/gst.h>

#include <initializer_list>
#include <map>
#include <string>

#include "batches.h"
#include "harness.h"

namespace lockstep {

inline constexpr Format kDemuxFormat{PixelFormat::nv12, 160, 90, {30, 1}};

/// A demux with a harness on its sink pad and on each source pad asked for.
struct Demux {
  explicit Demux(std::initializer_list<guint> slots = {})
      : element(static_cast<GstElement*>(
            gst_object_ref_sink(gst_element_factory_make("lockstepdemux", nullptr)))),
        bus(element.get()),
        sink(gst_harness_new_with_element(element.get(), "sink", nullptr)) {
    for (guint slot : slots) add(slot);
  }

  void add(guint slot, const char* caps = nullptr) {
    GstHarness* harness = gst_harness_new_with_element(element.get(), nullptr,
                                                       ("src_" + std::to_string(slot)).c_str());
    if (caps) gst_harness_set_sink_caps_str(harness, caps);
    src[slot].reset(harness);
  }

  /// The next event of that type that came out of a pad; null if there is none.
  EventPtr event(guint slot, GstEventType type) {
    while (GstEvent* next = gst_harness_try_pull_event(src[slot].get())) {
      EventPtr found(next);
      if (GST_EVENT_TYPE(next) == type) return found;
    }
    return nullptr;
  }

  CapsPtr caps(guint slot) { return CapsPtr(gst_pad_get_current_caps(src[slot]->sinkpad)); }

  ElementPtr element;
  Bus bus;
  HarnessPtr sink;
  std::map<guint, HarnessPtr> src;
};

}  // namespace lockstep
