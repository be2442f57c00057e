// SPDX-License-Identifier: MIT
#pragma once

#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <string>

#include "batches.h"
#include "harness.h"

namespace lockstep {

/// A locksteptiler, batches in and mosaics out.
struct Tiler {
  explicit Tiler(const std::string& properties = "")
      : harness(gst_harness_new_parse(("locksteptiler " + properties).c_str())),
        element(gst_harness_find_element(harness.get(), "locksteptiler")),
        bus(element.get()) {}

  // What came out, in the pixel format that went in.
  Format format_out(PixelFormat pixel_format = PixelFormat::nv12) const {
    CapsPtr caps(gst_pad_get_current_caps(harness->sinkpad));
    GstVideoInfo info;
    gst_video_info_from_caps(&info, caps.get());
    EXPECT_STREQ(gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(&info)), to_string(pixel_format));
    return {pixel_format,
            static_cast<std::uint32_t>(GST_VIDEO_INFO_WIDTH(&info)),
            static_cast<std::uint32_t>(GST_VIDEO_INFO_HEIGHT(&info)),
            {30, 1}};
  }

  // Draws one batch.
  BufferPtr draw(const BatchPlan& plan) {
    EXPECT_EQ(push(harness.get(), plan), GST_FLOW_OK);
    return pull(harness.get());
  }

  HarnessPtr harness;
  ElementPtr element;
  Bus bus;
};

}  // namespace lockstep
