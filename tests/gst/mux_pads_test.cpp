// SPDX-License-Identifier: MIT
// lockstepmux: pads that come, go, end, flush, skip and change what they send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "mux_bench.h"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

GstEvent* gap(guint number, guint num_frames = 1) {
  return gst_event_new_gap(at(number), at(number + num_frames) - at(number));
}

TEST(MuxPads, MakeSlotsInTheOrderOfTheirNumbers) {
  MuxBench bench({7, 2, 5}, kWaitForEver);
  bench.push_all({5, 7, 2}, 0);
  EXPECT_EQ(bench.pull(), "2:0 5:0 7:0");
  EXPECT_THAT(bench.caps(), HasSubstr("batch-size=(int)3"));
}

TEST(MuxPads, WithoutANameGetTheNextNumber) {
  MuxBench bench({3}, kWaitForEver);
  GstPad* pad = gst_element_request_pad_simple(bench.element(), "sink_%u");
  ASSERT_TRUE(pad);
  EXPECT_STREQ(GST_PAD_NAME(pad), "sink_4");
  gst_element_release_request_pad(bench.element(), pad);
  gst_object_unref(pad);
  bench.push_all({3}, 0);
  EXPECT_EQ(bench.pull(), "3:0");
}

TEST(MuxPads, RequestedWhileRunningGetSlotsInPlace) {
  MuxBench bench({0, 2}, kWaitForEver);
  bench.push_all({0, 2}, 0);
  EXPECT_EQ(bench.pull(), "0:0 2:0");
  bench.add(1);
  bench.push_all({2, 1, 0}, 1);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:1 1:1 2:1");
  EXPECT_EQ(meta_of(batch)->batch_number, 1u);
  EXPECT_THAT(bench.caps(), HasSubstr("batch-size=(int)3"));
}

TEST(MuxPads, RemovedLeaveTheirSlotEmptyUntilTheNextCaps) {
  MuxBench bench({0, 1, 2}, kWaitForEver);
  bench.push_all({0, 1, 2}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0 2:0");
  bench.remove(1);
  bench.push_all({0, 2}, 1);
  EXPECT_EQ(bench.pull(), "0:1 - 2:1");
  EXPECT_THAT(bench.caps(), HasSubstr("batch-size=(int)3"));
  for (guint pad : {0u, 2u}) bench.set_caps(pad, small_caps("30/1", "I420"));
  bench.push_all({0, 2}, 2);
  EXPECT_EQ(bench.pull(), "0:2 2:2");
  EXPECT_THAT(bench.caps(), HasSubstr("batch-size=(int)2"));
}

TEST(MuxPads, RemovedAreWaitedForNoMore) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0}, 0);
  bench.remove(1);
  EXPECT_EQ(bench.pull(), "0:0");
}

TEST(MuxPads, RemovedWithFramesThatWaitAreToldOf) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({1}, 0);
  bench.push_all({1}, 1);
  bench.remove(1);
  const StructurePtr told = bench.told("lockstep-frames-dropped");
  ASSERT_TRUE(told);
  guint64 count = 0;
  gst_structure_get_uint64(told.get(), "count", &count);
  EXPECT_EQ(count, 2u);
  EXPECT_STREQ(gst_structure_get_string(told.get(), "reason"), "flushed");
  EXPECT_STREQ(gst_structure_get_string(told.get(), "name"), "sink_1");
}

TEST(MuxPads, OfANumberThatWasRemovedComeBack) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0, 1}, 0);
  bench.pull();
  bench.remove(1);
  bench.push_all({0}, 1);
  EXPECT_EQ(bench.pull(), "0:1 -");
  bench.add(1);
  bench.push_all({0, 1}, 2);
  EXPECT_EQ(bench.pull(), "0:2 1:2");
}

TEST(MuxPads, MayBe256AndNoMore) {
  MuxBench bench({}, kWaitForEver);
  std::vector<guint> pads;
  for (guint pad = 0; pad < 256; ++pad) {
    bench.add(pad, small_caps("30/1", "GRAY8", 4, 2));
    pads.push_back(pad);
  }
  EXPECT_EQ(gst_element_request_pad_simple(bench.element(), "sink_%u"), nullptr);
  EXPECT_THAT(bench.warning(), HasSubstr("there are 256 already"));
  bench.push_all(pads, 0);
  EXPECT_EQ(bench.pull(), text_of_all(256, 0));
  EXPECT_THAT(bench.caps(), HasSubstr("batch-size=(int)256"));
}

TEST(MuxPads, TwiceOfOneNumberAreRefused) {
  MuxBench bench({3});
  EXPECT_EQ(gst_element_request_pad_simple(bench.element(), "sink_03"), nullptr);
  EXPECT_THAT(bench.warning(), HasSubstr("there is one of that name"));
}

TEST(MuxEnd, OfOnePadLetsTheOthersGoOn) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0, 1}, 0);
  bench.end({1});
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.push_all({0}, 1);
  EXPECT_EQ(bench.pull(), "0:1 -");
  EXPECT_FALSE(bench.has_message(GST_MESSAGE_WARNING));
}

TEST(MuxEnd, OfAllComesAfterTheirLastFrames) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0}, 0);
  bench.push_all({0}, 1);
  bench.end({0});
  bench.push_all({1}, 1);
  bench.end({1});
  EXPECT_THAT(bench.pull_rest(), ElementsAre("0:0 -", "0:1 1:1"));
}

TEST(MuxEnd, WithoutAnyFrameIsPassedOn) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.end({0, 1});
  EXPECT_EQ(bench.pull(), "EOS");
}

TEST(MuxEnd, DoesNotWaitForAPadThatNothingIsLinkedTo) {
  MuxBench bench({0, 1}, "max-wait=0");
  GstPad* unlinked = gst_element_request_pad_simple(bench.element(), "sink_%u");
  bench.push_all({0, 1}, 0);
  bench.end({0, 1});
  // How far they go together rests on max-wait, which must not be long here.
  EXPECT_FALSE(bench.pull_rest().empty());
  EXPECT_THAT(bench.warning(), HasSubstr("nothing is linked to sink_2; release pads"));
  EXPECT_FALSE(bench.has_message(GST_MESSAGE_WARNING));
  gst_object_unref(unlinked);
}

TEST(MuxEnd, WaitsForAPadThatIsLinkedLater) {
  MuxBench bench({0}, kWaitForEver);
  GstPad* sink = gst_element_request_pad_simple(bench.element(), "sink_1");
  bench.push_all({0}, 0);
  bench.end({0});
  GstPad* src = gst_pad_new("src", GST_PAD_SRC);
  gst_object_ref_sink(src);
  gst_pad_set_active(src, TRUE);
  EXPECT_EQ(gst_pad_link(src, sink), GST_PAD_LINK_OK);
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  const CapsPtr caps(gst_caps_from_string(small_caps().c_str()));
  gst_pad_push_event(src, gst_event_new_stream_start("later"));
  gst_pad_push_event(src, gst_event_new_caps(caps.get()));
  gst_pad_push_event(src, gst_event_new_segment(&segment));
  EXPECT_EQ(gst_pad_push(src, bench.frame(0, 7, 0).release()), GST_FLOW_OK);
  gst_pad_push_event(src, gst_event_new_eos());
  EXPECT_THAT(bench.pull_rest(), ElementsAre("0:0 0:7"));
  EXPECT_FALSE(bench.has_message(GST_MESSAGE_WARNING));
  gst_pad_set_active(src, FALSE);
  gst_object_unref(src);
  gst_object_unref(sink);
}

// As one flushing seek of the whole pipeline does.
void flush(MuxBench& bench, const std::vector<guint>& pads) {
  const guint32 number = gst_util_seqnum_next();
  const auto send = [&](guint pad, GstEvent* event) {
    gst_event_set_seqnum(event, number);
    EXPECT_TRUE(bench.send(pad, event)) << pad;
  };
  for (guint pad : pads) send(pad, gst_event_new_flush_start());
  for (guint pad : pads) send(pad, gst_event_new_flush_stop(TRUE));
}

void begin_segment(MuxBench& bench, const std::vector<guint>& pads) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  for (guint pad : pads) bench.set_segment(pad, segment);
}

TEST(MuxFlush, OfAllForgetsWhatWaitsAndBeginsAnew) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.push_all({0}, 100);
  flush(bench, {0, 1});
  begin_segment(bench, {0, 1});
  EXPECT_TRUE(bench.event(GST_EVENT_FLUSH_STOP));
  // Times begin anew, too.
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_EQ(bench.stats().drops(0, "flushed"), 1u);
}

TEST(MuxFlush, OfEachPadByItselfBeginsAnewToo) {
  MuxBench bench({0, 1}, kWaitForEver);
  for (guint number : {0u, 1u, 2u}) {
    bench.push_all({0, 1}, number);
    EXPECT_EQ(bench.pull(), text_of_all(2, number));
  }
  for (guint pad : {0u, 1u}) flush(bench, {pad});
  begin_segment(bench, {0, 1});
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_EQ(bench.stats().of(0, "drops"), 0u);
}

TEST(MuxFlush, OfOnePadLeavesTheOthersFrames) {
  MuxBench bench({0, 1, 2}, kWaitForEver);
  bench.push_all({0, 1, 2}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0 2:0");
  bench.push_all({0, 1}, 1);
  flush(bench, {1});
  begin_segment(bench, {1});
  bench.push(1, 9, at(1));
  bench.push_all({2}, 1);
  EXPECT_EQ(bench.pull(), "0:1 1:9 2:1");
  EXPECT_EQ(bench.stats().drops(1, "flushed"), 1u);
  EXPECT_EQ(bench.stats().of(0, "drops"), 0u);
}

TEST(MuxFlush, AfterTheEndHasThePadWaitedForAgain) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.end({1});
  bench.push_all({0}, 1);
  EXPECT_EQ(bench.pull(), "0:1 -");
  flush(bench, {0, 1});
  begin_segment(bench, {0, 1});
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
}

TEST(MuxPads, MayBeReleasedWhileTheirThreadsAreOnTheirWay) {
  MuxBench bench({0, 1, 2}, kWaitForEver);
  for (int round = 0; round < 200; ++round) {
    GstPad* src = gst_pad_new("src", GST_PAD_SRC);
    gst_object_ref_sink(src);
    gst_pad_set_active(src, TRUE);
    GstPad* sink = gst_element_request_pad_simple(bench.element(), "sink_1000");
    gst_pad_link(src, sink);
    std::thread upstream([src] {
      gst_pad_push_event(src, gst_event_new_stream_start("brief"));
      for (int i = 0; i < 50; ++i) {
        gst_pad_push_event(src, gst_event_new_gap(at(0), GST_SECOND));
        gst_pad_push_event(src, gst_event_new_flush_start());
        gst_pad_push_event(src, gst_event_new_flush_stop(FALSE));
      }
      gst_pad_push_event(src, gst_event_new_eos());
    });
    gst_element_release_request_pad(bench.element(), sink);
    upstream.join();
    gst_object_unref(sink);
    gst_pad_set_active(src, FALSE);
    gst_object_unref(src);
  }
  bench.push_all({0, 1, 2}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0 2:0");
}

TEST(MuxFlush, FreesWhoeverIsHeldUp) {
  MuxBench bench({0, 1}, std::string(kWaitForEver) + "max-queued=1");
  bench.push_all({0}, 0);
  auto held_up = bench.push_later(0, 1, at(1));
  EXPECT_TRUE(bench.send(0, gst_event_new_flush_start()));
  EXPECT_EQ(held_up.get(), GST_FLOW_FLUSHING);
  EXPECT_TRUE(bench.send(0, gst_event_new_flush_stop(TRUE)));
  begin_segment(bench, {0});
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
}

TEST(MuxGap, EndsTheWaitForAFrame) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.push_all({0}, 1);
  EXPECT_TRUE(bench.send(1, gap(1)));
  EXPECT_EQ(bench.pull(), "0:1 -");
  EXPECT_TRUE(bench.send(1, gap(2, 2)));
  bench.push_all({0}, 2);
  EXPECT_EQ(bench.pull(), "0:2 -");
  bench.push_all({0}, 3);
  EXPECT_EQ(bench.pull(), "0:3 -");
  bench.push_all({0, 1}, 4);
  EXPECT_EQ(bench.pull(), "0:4 1:4");
}

TEST(MuxGap, OfNoDurationLastsAFrame) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push(0, 0, at(0));
  bench.send(1, gst_event_new_gap(at(0), GST_CLOCK_TIME_NONE));
  EXPECT_EQ(bench.pull(), "0:0 -");
  bench.push_all({0, 1}, 1);
  EXPECT_EQ(bench.pull(), "0:1 1:1");
}

TEST(MuxGap, MayBeAnEmptyBuffer) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0}, 0);
  BufferPtr nothing(gst_buffer_new());
  GST_BUFFER_PTS(nothing.get()) = 0;
  GST_BUFFER_DURATION(nothing.get()) = at(1);
  GST_BUFFER_FLAG_SET(nothing.get(), GST_BUFFER_FLAG_GAP);
  EXPECT_EQ(bench.push(1, std::move(nothing)), GST_FLOW_OK);
  EXPECT_EQ(bench.pull(), "0:0 -");
  EXPECT_EQ(bench.stats().of(1, "drops"), 0u);
}

TEST(MuxGap, FlagOnABufferWithPixelsIsAFrame) {
  MuxBench bench({0, 1}, kWaitForEver);
  BufferPtr silent = bench.frame(0, 0, 0);
  GST_BUFFER_FLAG_SET(silent.get(), GST_BUFFER_FLAG_GAP);
  bench.push(0, std::move(silent));
  bench.push_all({1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
}

TEST(MuxSegment, ChangesInMidStream) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = 20 * GST_SECOND;
  segment.base = at(1);
  bench.set_segment(0, segment);
  EXPECT_EQ(bench.push(0, 1, 20 * GST_SECOND), GST_FLOW_OK);
  bench.push_all({1}, 1);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:1 1:1");
  EXPECT_EQ(GST_BUFFER_PTS(batch.get()), at(1));
}

TEST(MuxPads, ThatBeginLaterAreWaitedFor) {
  MuxBench bench({0}, kWaitForEver);
  bench.add(1, "");
  bench.push_all({0}, 0);
  bench.push_all({0}, 1);
  bench.set_caps(1, small_caps());
  bench.push_all({1}, 0);
  bench.push_all({1}, 1);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_EQ(bench.pull(), "0:1 1:1");
}

TEST(MuxCaps, AreThoseOfAFrameAndASize) {
  MuxBench bench({0, 1}, kWaitForEver);
  for (guint pad : {0u, 1u}) bench.set_caps(pad, small_caps() + ", colorimetry=bt709");
  bench.push_all({0, 1}, 0);
  bench.pull();
  CapsPtr wanted(gst_caps_from_string(
      "video/x-raw(meta:GstLockstepBatchMeta), format=NV12, width=60, height=34, framerate=30/1, "
      "colorimetry=bt709, pixel-aspect-ratio=1/1, batch-size=2"));
  CapsPtr caps(gst_caps_from_string(bench.caps().c_str()));
  EXPECT_TRUE(gst_caps_is_equal(caps.get(), wanted.get())) << bench.caps();
}

TEST(MuxCaps, WithoutAFramerateHaveAnUnknownOne) {
  const std::string caps = "video/x-raw, format=NV12, width=60, height=34";
  MuxBench bench({}, kWaitForEver);
  bench.add(0, caps);
  bench.add(1, caps);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_THAT(bench.caps(), HasSubstr("framerate=(fraction)0/1"));
}

TEST(MuxCaps, OfSeveralKindsSayWhatEachSlotHolds) {
  MuxBench bench({}, kWaitForEver);
  bench.add(0, small_caps("30/1", "NV12", 60, 34));
  bench.add(1, small_caps("30/1", "I420", 32, 20));
  bench.push_all({1, 0}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  CapsPtr caps(gst_caps_from_string(bench.caps().c_str()));
  const GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
  EXPECT_FALSE(gst_structure_has_field(structure, "format"));
  const GValue* streams = gst_structure_get_value(structure, "streams");
  ASSERT_TRUE(streams);
  ASSERT_EQ(gst_value_array_get_size(streams), 2u);
  // With what GStreamer takes for granted where caps do not say it.
  const std::string granted = ", colorimetry=bt601, pixel-aspect-ratio=1/1";
  const std::string wanted[] = {small_caps("30/1", "NV12", 60, 34) + granted,
                                small_caps("30/1", "I420", 32, 20) + granted};
  for (guint slot : {0u, 1u}) {
    const GstCaps* stream = gst_value_get_caps(gst_value_array_get_value(streams, slot));
    CapsPtr like(gst_caps_from_string(wanted[slot].c_str()));
    EXPECT_TRUE(gst_caps_is_equal(stream, like.get())) << slot;
  }
}

TEST(MuxCaps, OfSeveralColorimetriesSayWhatEachSlotHasAndTheBatchStaysContiguous) {
  MuxBench bench({0, 1}, std::string(kWaitForEver) + "layout=contiguous");
  bench.set_caps(0, small_caps() + ", colorimetry=bt601");
  bench.set_caps(1, small_caps() + ", colorimetry=bt709");
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  CapsPtr caps(gst_caps_from_string(bench.caps().c_str()));
  const GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
  EXPECT_STREQ(gst_structure_get_string(structure, "format"), "NV12");
  EXPECT_FALSE(gst_structure_has_field(structure, "colorimetry"));
  const GValue* streams = gst_structure_get_value(structure, "streams");
  ASSERT_TRUE(streams);
  for (const auto& [slot, colorimetry] : {std::pair{0u, "bt601"}, {1u, "bt709"}}) {
    const GstCaps* stream = gst_value_get_caps(gst_value_array_get_value(streams, slot));
    EXPECT_STREQ(gst_structure_get_string(gst_caps_get_structure(stream, 0), "colorimetry"),
                 colorimetry);
  }
}

// With EMPTY for what is not known yet, GStreamer 1.28 takes the whole caps for not fixed and sends none.
TEST(MuxCaps, AreFixedThroughoutWhereAPadHasNoneYet) {
  MuxBench bench({}, kWaitForEver);
  bench.add(0, small_caps("30/1", "NV12", 60, 34));
  bench.add(1, small_caps("30/1", "I420", 32, 20));
  bench.add(2, "");
  bench.end({2});
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0 -");
  CapsPtr caps(gst_caps_from_string(bench.caps().c_str()));
  const GValue* streams = gst_structure_get_value(gst_caps_get_structure(caps.get(), 0), "streams");
  ASSERT_TRUE(streams);
  ASSERT_EQ(gst_value_array_get_size(streams), 3u);
  for (guint slot : {0u, 1u, 2u})
    EXPECT_TRUE(gst_caps_is_fixed(gst_value_get_caps(gst_value_array_get_value(streams, slot))))
        << slot;
}

TEST(MuxCaps, ThatChangeApplyToTheFramesThatFollow) {
  MuxBench bench({0, 1}, kWaitForEver);
  const std::string other = small_caps("30/1", "I420", 32, 20);
  bench.push_all({0}, 0);
  bench.set_caps(0, other);
  bench.push_all({0}, 1);
  bench.push_all({1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_THAT(bench.caps(), HasSubstr("NV12"));
  bench.set_caps(1, other);
  bench.push_all({1}, 1);
  EXPECT_EQ(bench.pull(), "0:1 1:1");
  EXPECT_THAT(bench.caps(), HasSubstr("I420"));
  EXPECT_THAT(bench.caps(), Not(HasSubstr("streams")));
}

TEST(MuxCaps, OfAPadMustBeThoseOfTheOthersWhereAllMustAgree) {
  MuxBench bench({0}, "layout=contiguous");
  bench.add(1, "");
  CapsPtr caps(gst_pad_peer_query_caps(bench.pad(1)->srcpad, nullptr));
  CapsPtr same(gst_caps_from_string(small_caps("15/1").c_str()));
  CapsPtr other(gst_caps_from_string(small_caps("30/1", "I420").c_str()));
  EXPECT_TRUE(gst_caps_can_intersect(caps.get(), same.get()));
  EXPECT_FALSE(gst_caps_can_intersect(caps.get(), other.get()));
}

TEST(MuxEvents, OfQualityReachEveryPad) {
  MuxBench bench({0, 1, 2});
  bench.push_all({0, 1, 2}, 0);
  bench.pull();
  EXPECT_TRUE(gst_harness_push_upstream_event(
      bench.out(), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 0.5, 1, 1)));
  for (guint pad : {0u, 1u, 2u}) {
    bool arrived = false;
    while (GstEvent* event = gst_harness_try_pull_upstream_event(bench.pad(pad))) {
      arrived |= GST_EVENT_TYPE(event) == GST_EVENT_QOS;
      gst_event_unref(event);
    }
    EXPECT_TRUE(arrived) << pad;
  }
}

}  // namespace
}  // namespace lockstep
