// SPDX-License-Identifier: MIT
// lockstepmux fed with what it cannot use: a clear message or a counted drop each, and never a frame in a wrong slot.
#include <gmock/gmock.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mux_bench.h"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(MuxBadInput, NoPadsAtAllIsNoError) {
  MuxBench bench;
  for (GstState state : {GST_STATE_NULL, GST_STATE_PLAYING, GST_STATE_READY, GST_STATE_PLAYING})
    EXPECT_NE(gst_element_set_state(bench.element(), state), GST_STATE_CHANGE_FAILURE);
  EXPECT_FALSE(bench.has_message(GST_MESSAGE_ERROR));
}

TEST(MuxBadInput, PadThatNeverBeginsHoldsNobodyUpBeyondTheWait) {
  MuxBench bench({0}, "max-wait=1000000");
  bench.add(1, "");
  for (guint number = 0; number < 4; ++number) {
    bench.push_all({0}, number);
    EXPECT_EQ(bench.pull(), "0:" + std::to_string(number) + " -");
  }
  EXPECT_TRUE(bench.told("lockstep-sensor-stalled"));
}

TEST(MuxBadInput, PadThatNeverBeginsAndEndsIsNoHindrance) {
  MuxBench bench({0}, kWaitForEver);
  bench.add(1, "");
  bench.push_all({0}, 0);
  bench.end({0, 1});
  EXPECT_THAT(bench.pull_rest(), ElementsAre("0:0 -"));
}

TEST(MuxBadInput, PadThatStallsForEverIsWaitedForNoMore) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.set("max-wait", "1000000");
  for (guint number = 1; number < 30; ++number) {
    bench.push_all({0}, number);
    EXPECT_EQ(bench.pull(), "0:" + std::to_string(number) + " -");
  }
  EXPECT_THAT(bench.warning(), HasSubstr("sink_1 sends nothing"));
}

TEST(MuxBadInput, FramesWithoutCapsAreDroppedAndSaid) {
  MuxBench bench({0}, kWaitForEver);
  bench.add(1, "");
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  bench.set_segment(1, segment);
  BufferPtr frame = painted_frame(small_caps(), {1, 0});
  GST_BUFFER_PTS(frame.get()) = 0;
  bench.push(1, std::move(frame));
  EXPECT_THAT(bench.warning(), HasSubstr("sink_1 sends data without caps; put a decoder"));
  EXPECT_EQ(bench.stats().drops(1, "corrupt"), 1u);
  bench.push_all({0}, 0);
  bench.end({0, 1});
  EXPECT_THAT(bench.pull_rest(), ElementsAre("0:0 -"));
}

TEST(MuxBadInput, FramesWithoutTimeAreDroppedAndSaidOnce) {
  MuxBench bench({0, 1}, kWaitForEver);
  for (guint number : {0u, 1u, 2u}) bench.push(1, number, GST_CLOCK_TIME_NONE);
  EXPECT_THAT(bench.warning(), HasSubstr("sink_1 sends frames without a PTS in a segment of time; "
                                         "set do-timestamp=true"));
  EXPECT_FALSE(bench.has_message(GST_MESSAGE_WARNING));
  EXPECT_EQ(bench.stats().drops(1, "untimed"), 3u);
  bench.push_all({0, 1}, 3);
  EXPECT_EQ(bench.pull(), "0:3 1:3");
}

TEST(MuxBadInput, FramesInASegmentOfBytesAreUntimed) {
  MuxBench bench({0, 1}, kWaitForEver);
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  bench.set_segment(1, segment);
  bench.push(1, 0, 0);
  EXPECT_EQ(bench.stats().drops(1, "untimed"), 1u);
}

TEST(MuxBadInput, TimesOfAWrongClockHoldUpNobodyAndDrainAtTheEnd) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push(1, 0, 5'000'000 * GST_SECOND);
  for (guint number : {0u, 1u, 2u}) {
    bench.push_all({0}, number);
    EXPECT_EQ(bench.pull(), "0:" + std::to_string(number) + " -");
  }
  bench.end({0, 1});
  EXPECT_THAT(bench.pull_rest(), ElementsAre("- 1:0"));
}

TEST(MuxBadInput, TimesThatRepeatOrGoBackAreDropped) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push(0, 5, at(5));
  bench.push(0, 6, at(5));
  bench.push(0, 7, at(3));
  bench.push_all({1}, 5);
  EXPECT_EQ(bench.pull(), "0:5 1:5");
  EXPECT_EQ(bench.stats().drops(0, "duplicate"), 1u);
  EXPECT_EQ(bench.stats().drops(0, "backward"), 1u);
  bench.push_all({0, 1}, 8);
  EXPECT_EQ(bench.pull(), "0:8 1:8");
}

// Whether a frame like that is dropped as corrupt, with this text, and the next good one goes on.
void expect_corrupt(BufferPtr frame, const std::string& text) {
  MuxBench bench({0, 1}, kWaitForEver);
  GST_BUFFER_PTS(frame.get()) = 0;
  EXPECT_EQ(bench.push(1, std::move(frame)), GST_FLOW_OK);
  EXPECT_THAT(bench.warning(), HasSubstr("sink_1 sends a damaged frame: " + text));
  EXPECT_EQ(bench.stats().drops(1, "corrupt"), 1u);
  bench.push_all({0, 1}, 1);
  EXPECT_EQ(bench.pull(), "0:1 1:1");
}

TEST(MuxBadInput, BuffersTooShortAreCorrupt) {
  expect_corrupt(BufferPtr(gst_buffer_new()), "a frame of 60x34 NV12 in a buffer of 0 bytes");
  BufferPtr frame = painted_frame(small_caps(), {1, 0});
  const gsize short_by_one = gst_buffer_get_size(frame.get()) - 1;
  gst_buffer_set_size(frame.get(), static_cast<gssize>(short_by_one));
  expect_corrupt(std::move(frame),
                 "a frame of 60x34 NV12 in a buffer of " + std::to_string(short_by_one) + " bytes");
}

TEST(MuxBadInput, VideoMetaThatLiesIsCorrupt) {
  using Lie = std::function<void(GstVideoMeta*)>;
  const std::vector<std::pair<Lie, std::string>> lies = {
      {[](GstVideoMeta* meta) { meta->width = 64; }, "the caps say 60x34 NV12"},
      {[](GstVideoMeta* meta) { meta->height = 0; }, "the caps say 60x34 NV12"},
      {[](GstVideoMeta* meta) { meta->format = GST_VIDEO_FORMAT_I420; }, "the caps say 60x34 NV12"},
      {[](GstVideoMeta* meta) { meta->n_planes = 1; }, "the caps say 60x34 NV12"},
      {[](GstVideoMeta* meta) { meta->stride[0] = 59; }, "a row of plane 0 takes 60 bytes"},
      {[](GstVideoMeta* meta) { meta->stride[1] = -60; }, "a row of plane 1 takes 60 bytes"},
      {[](GstVideoMeta* meta) { meta->stride[0] = std::numeric_limits<gint>::max(); },
       "a frame of 60x34 NV12 in a buffer of"},
      {[](GstVideoMeta* meta) { meta->offset[1] = std::numeric_limits<gsize>::max() - 10; },
       "a frame of 60x34 NV12 in a buffer of"},
      {[](GstVideoMeta* meta) { meta->offset[1] += 1000; }, "a frame of 60x34 NV12 in a buffer of"},
  };
  for (const auto& [lie, text] : lies) {
    SCOPED_TRACE(text);
    BufferPtr frame = painted_frame(small_caps(), {1, 0}, 4);
    lie(gst_buffer_get_video_meta(frame.get()));
    expect_corrupt(std::move(frame), text);
  }
}

// What the pad answers to caps that cannot be batched; what is said of them.
std::string refusal_of(const std::string& caps) {
  MuxBench bench({0}, kWaitForEver);
  bench.add(1, "");
  CapsPtr parsed(gst_caps_from_string(caps.c_str()));
  // Straight into the pad, as from an element that asked for nothing.
  const bool taken = bench.send(1, gst_event_new_caps(parsed.get()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  bench.send(1, gst_event_new_segment(&segment));
  BufferPtr frame(gst_buffer_new_allocate(nullptr, 100'000, nullptr));
  GST_BUFFER_PTS(frame.get()) = 0;
  const GstFlowReturn flow = bench.push(1, std::move(frame));
  if (taken && flow == GST_FLOW_OK) return "taken";
  const bool said = bench.has_message(GST_MESSAGE_ERROR);
  bench.push_all({0}, 0);
  bench.end({0});
  bench.remove(1);
  EXPECT_EQ(bench.pull(), "0:0");
  return said ? "said" : "refused";
}

TEST(MuxBadInput, CapsThatCannotBeBatchedAreRefused) {
  EXPECT_EQ(refusal_of("video/x-raw, format=NV12, width=60, height=34, framerate=30/1, "
                       "interlace-mode=interleaved"),
            "said");
  EXPECT_NE(refusal_of("video/x-raw, format=AYUV64, width=60, height=34, framerate=30/1"), "taken");
  EXPECT_NE(refusal_of("audio/x-raw, format=S16LE, rate=48000, channels=1"), "taken");
}

TEST(MuxBadInput, InterlacedVideoIsRefusedWithTheRemedy) {
  MuxBench bench({0}, kWaitForEver);
  bench.add(1, "");
  CapsPtr caps(gst_caps_from_string((small_caps() + ", interlace-mode=interleaved").c_str()));
  bench.send(1, gst_event_new_caps(caps.get()));
  const std::string error = bench.error();
  EXPECT_THAT(error, HasSubstr("take what sink_1 sends: "));
  EXPECT_THAT(error, HasSubstr("deinterlace"));
}

TEST(MuxBadInput, CyclesOfStatesLoseNothingAndHangNowhere) {
  MuxBench bench({0, 1}, kWaitForEver);
  for (guint cycle = 0; cycle < 5; ++cycle) {
    bench.push_all({0, 1}, 0);
    EXPECT_EQ(bench.pull(), "0:0 1:0");
    // In every other one a pad has ended.
    if (cycle % 2 == 1) bench.end({1});
    bench.push_all({0}, 1);
    if (cycle % 2 == 1) {
      EXPECT_EQ(bench.pull(), "0:1 -");
    }
    EXPECT_EQ(gst_element_set_state(bench.element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    EXPECT_NE(gst_element_set_state(bench.element(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    for (guint pad : {0u, 1u}) {
      bench.send(pad, gst_event_new_stream_start("again"));
      bench.set_caps(pad, small_caps());
    }
  }
  EXPECT_FALSE(bench.has_message(GST_MESSAGE_ERROR));
}

TEST(MuxBadInput, WhoeverIsHeldUpGoesOnWhenTheElementStops) {
  MuxBench bench({0, 1}, std::string(kWaitForEver) + "max-queued=1");
  bench.push_all({0}, 0);
  auto held_up = bench.push_later(0, 1, at(1));
  held_up.wait_for(std::chrono::milliseconds(20));
  gst_element_set_state(bench.element(), GST_STATE_NULL);
  EXPECT_EQ(held_up.get(), GST_FLOW_FLUSHING);
}

TEST(MuxBadInput, WhoeverIsHeldUpGoesOnWhenThePadIsRemoved) {
  MuxBench bench({0, 1}, std::string(kWaitForEver) + "max-queued=1");
  bench.push_all({0}, 0);
  auto held_up = bench.push_later(0, 1, at(1));
  held_up.wait_for(std::chrono::milliseconds(20));
  GstPad* pad = gst_element_get_static_pad(bench.element(), "sink_0");
  gst_element_release_request_pad(bench.element(), pad);
  gst_object_unref(pad);
  EXPECT_EQ(held_up.get(), GST_FLOW_FLUSHING);
}

TEST(MuxBadInput, DownstreamThatEndsIsToldUpstream) {
  MuxBench bench({0, 1}, kWaitForEver);
  gst_pad_set_chain_function(bench.out()->sinkpad, [](GstPad*, GstObject*, GstBuffer* buffer) {
    gst_buffer_unref(buffer);
    return GST_FLOW_EOS;
  });
  GstFlowReturn flow = GST_FLOW_OK;
  // How many are on their way by then is not said.
  for (guint number = 0; flow == GST_FLOW_OK && number < 10000; ++number) {
    bench.push(0, number, at(number));
    flow = bench.push(1, number, at(number));
  }
  EXPECT_EQ(flow, GST_FLOW_EOS);
}

TEST(MuxBadInput, MemoryThatIsNotThereIsAnErrorAtTheStart) {
  ElementPtr element(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("lockstepmux", nullptr))));
  g_object_set(element.get(), "memory", "clay", nullptr);
  Bus bus(element.get());
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  EXPECT_THAT(bus.take_error(), HasSubstr("clay"));
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

TEST(MuxBadInput, MorePadsThanABlockHasRoomForAreAnErrorThatSaysSo) {
  MuxBench bench({}, "layout=contiguous");
  std::vector<guint> pads;
  for (guint pad = 0; pad < 65; ++pad) {
    bench.add(pad);
    pads.push_back(pad);
  }
  bench.push_all(pads, 0);
  EXPECT_THAT(bench.error(), HasSubstr("put 65 pads into one block of memory, where 64 have room"));
}

}  // namespace
}  // namespace lockstep
