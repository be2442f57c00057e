// SPDX-License-Identifier: MIT
// Built only where GStreamer has GstAnalyticsBatchMeta.
#include <gst/analytics/analytics.h>
#include <gst/check/gstharness.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gtest/gtest.h>

#include "harness.h"

namespace lockstep {
namespace {

constexpr Format kAnalysed{PixelFormat::nv12, 160, 90, {30, 1}};
const char* const kAnalyticsCaps = "multistream/x-analytics-batch(meta:GstAnalyticsBatchMeta)";

// A mux of two pads whose batches come out of the harness of pad 0.
struct Mux {
  explicit Mux(const char* sink_caps)
      : element(static_cast<GstElement*>(
            gst_object_ref_sink(gst_element_factory_make("lockstepmux", nullptr)))),
        first(gst_harness_new_with_element(element.get(), "sink_0", "src")),
        second(gst_harness_new_with_element(element.get(), "sink_1", nullptr)) {
    gst_harness_set_sink_caps_str(first.get(), sink_caps);
    for (GstHarness* harness : {first.get(), second.get()})
      gst_harness_set_src_caps_str(harness, frame_caps(kAnalysed).c_str());
  }

  BufferPtr pull_after_pushing(std::uint32_t number) {
    for (guint slot : {0u, 1u}) {
      GstBuffer* frame =
          make_frame(kAnalysed, {static_cast<std::uint8_t>(slot), number, 0, 0}).release();
      GST_BUFFER_PTS(frame) = time_of_batch(number, kAnalysed);
      gst_harness_push(slot == 0 ? first.get() : second.get(), frame);
    }
    return BufferPtr(gst_harness_pull(first.get()));
  }

  ElementPtr element;
  HarnessPtr first;
  HarnessPtr second;
};

TEST(MuxAnalytics, TellsTheFramesOfEachSlotAsAStream) {
  Mux mux(kAnalyticsCaps);
  BufferPtr batch = mux.pull_after_pushing(0);
  ASSERT_TRUE(batch);
  const GstAnalyticsBatchMeta* meta = gst_buffer_get_analytics_batch_meta(batch.get());
  const GstLockstepBatchMeta* ours = gst_buffer_get_lockstep_batch_meta(batch.get());
  ASSERT_TRUE(meta);
  ASSERT_EQ(meta->n_streams, 2u);
  for (guint slot : {0u, 1u}) {
    GstAnalyticsBatchStream& stream = meta->streams[slot];
    EXPECT_EQ(stream.index, slot);
    ASSERT_EQ(stream.n_objects, 1u);
    EXPECT_EQ(stream.objects[0], GST_MINI_OBJECT_CAST(ours->frames[slot].buffer));
    EXPECT_EQ(gst_analytics_batch_stream_get_stream_id(&stream), "sink_" + std::to_string(slot));
    const std::string wanted_text =
        frame_caps(kAnalysed) + ", colorimetry=bt601, pixel-aspect-ratio=1/1";
    const CapsPtr wanted(gst_caps_from_string(wanted_text.c_str()));
    EXPECT_TRUE(gst_caps_is_equal(gst_analytics_batch_stream_get_caps(&stream), wanted.get()));
    EXPECT_EQ(gst_analytics_batch_stream_get_segment(&stream)->format, GST_FORMAT_TIME);
  }
}

TEST(MuxAnalytics, CapsTellWhatEachStreamIs) {
  Mux mux(kAnalyticsCaps);
  ASSERT_TRUE(mux.pull_after_pushing(0));
  CapsPtr caps(gst_pad_get_current_caps(mux.first->sinkpad));
  const GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
  EXPECT_STREQ(gst_structure_get_name(structure), "multistream/x-analytics-batch");
  EXPECT_EQ(gst_value_array_get_size(gst_structure_get_value(structure, "streams")), 2u);
}

TEST(MuxAnalytics, OursIsPreferredWhereBothAreTaken) {
  Mux mux("ANY");
  BufferPtr batch = mux.pull_after_pushing(0);
  ASSERT_TRUE(batch);
  CapsPtr caps(gst_pad_get_current_caps(mux.first->sinkpad));
  EXPECT_STREQ(gst_structure_get_name(gst_caps_get_structure(caps.get(), 0)), "video/x-raw");
  EXPECT_TRUE(gst_buffer_get_analytics_batch_meta(batch.get()));
}

}  // namespace
}  // namespace lockstep
