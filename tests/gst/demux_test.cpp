// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "batches.h"
#include "demux_bench.h"
#include "harness.h"

namespace lockstep {
namespace {

using testing::HasSubstr;

constexpr Format kFormat = kDemuxFormat;

bool is_dmabuf(const GstCaps* caps) {
  return gst_caps_features_contains(gst_caps_get_features(caps, 0), GST_CAPS_FEATURE_MEMORY_DMABUF);
}

TEST(Demux, GivesEachPadTheVeryMemoryOfItsSlot) {
  Demux demux{0, 1, 2, 3};
  play(demux.sink.get(), kFormat, 4);
  BufferPtr batch = make_batch(all_fresh(kFormat, 4));
  std::vector<GstMemory*> memories;
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch.get());
  for (guint slot = 0; slot < 4; slot++)
    memories.push_back(gst_buffer_peek_memory(meta->frames[slot].buffer, 0));
  ASSERT_EQ(gst_harness_push(demux.sink.get(), batch.release()), GST_FLOW_OK);
  for (guint slot = 0; slot < 4; slot++) {
    BufferPtr frame = pull(demux.src[slot].get());
    ASSERT_TRUE(frame);
    EXPECT_EQ(gst_buffer_peek_memory(frame.get(), 0), memories[slot]);
    EXPECT_EQ(code_in(frame.get(), kFormat, {0, 0, 160, 90})->sensor, slot);
  }
}

// Caps of a batch whose slot 0 holds NV12, slot 1 something smaller and slot 2 nothing yet.
const char* const kMixedCaps =
    "video/x-raw(meta:GstLockstepBatchMeta), framerate=30/1, batch-size=3, streams=(GstCaps)<"
    "[video/x-raw, format=NV12, width=160, height=90, framerate=30/1], "
    "[video/x-raw, format=I420, width=80, height=60, framerate=15/1], [video/x-raw]>";

TEST(Demux, GivesEachPadTheCapsOfItsOwnSlot) {
  Demux demux{0, 1, 2};
  gst_harness_set_src_caps_str(demux.sink.get(), kMixedCaps);
  gst_harness_push(demux.sink.get(), make_batch(all_fresh(kFormat, 3)).release());
  for (guint slot : {0u, 1u}) {
    CapsPtr caps = demux.caps(slot);
    ASSERT_TRUE(caps);
    CapsPtr wanted(gst_caps_from_string(
        slot == 0 ? "video/x-raw, format=NV12, width=160, height=90, framerate=30/1"
                  : "video/x-raw, format=I420, width=80, height=60, framerate=15/1"));
    EXPECT_TRUE(gst_caps_is_equal(caps.get(), wanted.get())) << slot;
  }
  EXPECT_FALSE(demux.caps(2));
}

TEST(Demux, TakesSeveralKindsOnlyIfWhatFollowsTakesAny) {
  CapsPtr mixed(gst_caps_from_string(kMixedCaps));
  Demux demux;
  demux.add(0);
  EXPECT_TRUE(gst_pad_peer_query_accept_caps(demux.sink->srcpad, mixed.get()));
  demux.add(1, "video/x-raw, format=NV12");
  CapsPtr taken(gst_pad_peer_query_caps(demux.sink->srcpad, nullptr));
  EXPECT_FALSE(gst_caps_is_subset(mixed.get(), taken.get()));
}

TEST(Demux, GivesTheFrameItselfWhereTheBatchIsNotShared) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  BufferPtr batch = make_batch(all_fresh(kFormat, 1));
  GstBuffer* frame = gst_buffer_get_lockstep_batch_meta(batch.get())->frames[0].buffer;
  gst_harness_push(demux.sink.get(), batch.release());
  EXPECT_EQ(pull(demux.src[0].get()).get(), frame);
}

TEST(Demux, LeavesABatchThatOthersHoldAsItIs) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  BufferPtr batch = make_batch({kFormat, {FrameState::repeated}, 1});
  gst_harness_push(demux.sink.get(), gst_buffer_ref(batch.get()));
  GstBuffer* frame = gst_buffer_get_lockstep_batch_meta(batch.get())->frames[0].buffer;
  EXPECT_EQ(GST_BUFFER_PTS(frame), time_of_batch(0, kFormat));
  EXPECT_EQ(gst_buffer_get_lockstep_batch_meta(frame), nullptr);
  BufferPtr out = pull(demux.src[0].get());
  EXPECT_EQ(gst_buffer_peek_memory(out.get(), 0), gst_buffer_peek_memory(frame, 0));
}

TEST(Demux, FreshFramesHaveTheirOwnTimes) {
  Demux demux{3};
  play(demux.sink.get(), kFormat, 4);
  push(demux.sink.get(), all_fresh(kFormat, 4, 5));
  BufferPtr frame = pull(demux.src[3].get());
  EXPECT_EQ(GST_BUFFER_PTS(frame.get()), time_of_batch(5, kFormat) + 3);
  EXPECT_EQ(GST_BUFFER_DURATION(frame.get()), time_of_batch(1, kFormat));
}

TEST(Demux, RepeatedFramesHaveTheTimeOfTheBatch) {
  Demux demux{1};
  play(demux.sink.get(), kFormat, 2);
  push(demux.sink.get(), {kFormat, {FrameState::fresh, FrameState::repeated}, 5});
  BufferPtr frame = pull(demux.src[1].get());
  EXPECT_EQ(GST_BUFFER_PTS(frame.get()), time_of_batch(5, kFormat));
  EXPECT_EQ(code_in(frame.get(), kFormat, {0, 0, 160, 90})->sequence, 4u);
}

TEST(Demux, TellsAllAboutAFrame) {
  Demux demux{1};
  play(demux.sink.get(), kFormat, 2);
  push(demux.sink.get(), {kFormat, {FrameState::fresh, FrameState::repeated}, 5});
  BufferPtr frame = pull(demux.src[1].get());
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(frame.get());
  ASSERT_TRUE(meta);
  EXPECT_EQ(meta->n_frames, 1u);
  EXPECT_EQ(meta->batch_number, 5u);
  EXPECT_EQ(meta->frames[0].sensor, 1u);
  EXPECT_EQ(meta->frames[0].sequence, 4u);
  EXPECT_EQ(meta->frames[0].state, GST_LOCKSTEP_FRAME_REPEATED);
  EXPECT_EQ(meta->frames[0].exposure, 1001u);
  EXPECT_EQ(meta->frames[0].buffer, nullptr);
}

// A batch of one frame whose rows are longer than GStreamer's.
BufferPtr batch_with_long_rows() {
  BufferPtr batch = make_batch(all_fresh(kFormat, 1));
  GstLockstepFrame* frame = gst_buffer_get_lockstep_batch_meta(batch.get())->frames;
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 160, 90);
  BufferPtr wide(gst_buffer_new_allocate(nullptr, 256 * 135, nullptr));
  gsize offsets[4] = {0, 256 * 90};
  gint strides[4] = {256, 256};
  gst_buffer_add_video_meta_full(wide.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, 160,
                                 90, 2, offsets, strides);
  {
    const MappedFrame from(info, frame->buffer, GST_MAP_READ);
    MappedFrame to(info, wide.get(), GST_MAP_WRITE);
    gst_video_frame_copy(to.frame(), &*from);
  }
  GST_BUFFER_PTS(wide.get()) = 42;
  gst_buffer_unref(frame->buffer);
  frame->buffer = wide.release();
  return batch;
}

guint copies_of(GstBuffer* frame) {
  return gst_buffer_get_lockstep_batch_meta(frame)->frames[0].copies;
}

TEST(DemuxLayout, BecomesTheUsualOneForElementsThatKnowNoOther) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  ASSERT_EQ(gst_harness_push(demux.sink.get(), batch_with_long_rows().release()), GST_FLOW_OK);
  BufferPtr frame = pull(demux.src[0].get());
  ASSERT_TRUE(frame);
  EXPECT_EQ(gst_buffer_get_size(frame.get()), 160u * 135);
  EXPECT_TRUE(code_in(frame.get(), kFormat, {0, 0, 160, 90}));
  EXPECT_EQ(GST_BUFFER_PTS(frame.get()), 42u);
  EXPECT_EQ(copies_of(frame.get()), 1u);
}

TEST(DemuxLayout, StaysForElementsThatKnowGstVideoMeta) {
  Demux demux{0};
  gst_harness_add_propose_allocation_meta(demux.src[0].get(), GST_VIDEO_META_API_TYPE, nullptr);
  play(demux.sink.get(), kFormat, 1);
  ASSERT_EQ(gst_harness_push(demux.sink.get(), batch_with_long_rows().release()), GST_FLOW_OK);
  BufferPtr frame = pull(demux.src[0].get());
  ASSERT_TRUE(frame);
  EXPECT_EQ(gst_buffer_get_size(frame.get()), 256u * 135);
  EXPECT_EQ(copies_of(frame.get()), 0u);
}

TEST(DemuxLayout, ThatIsTheUsualOneIsNotCopied) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  push(demux.sink.get(), all_fresh(kFormat, 1));
  BufferPtr frame = pull(demux.src[0].get());
  ASSERT_TRUE(frame);
  EXPECT_EQ(copies_of(frame.get()), 0u);
}

TEST(DemuxMissing, SlotBecomesAGap) {
  Demux demux{0, 1};
  play(demux.sink.get(), kFormat, 2);
  push(demux.sink.get(), {kFormat, {FrameState::missing, FrameState::fresh}, 3});
  EXPECT_FALSE(pull(demux.src[0].get()));
  EXPECT_TRUE(pull(demux.src[1].get()));
  EventPtr gap = demux.event(0, GST_EVENT_GAP);
  ASSERT_TRUE(gap);
  GstClockTime time = 0;
  GstClockTime duration = 0;
  gst_event_parse_gap(gap.get(), &time, &duration);
  EXPECT_EQ(time, time_of_batch(3, kFormat));
  EXPECT_EQ(duration, time_of_batch(1, kFormat));
  EXPECT_FALSE(demux.event(1, GST_EVENT_GAP));
}

TEST(DemuxMissing, NextFrameFollowsOnNothing) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  std::vector<bool> discont;
  for (FrameState state : {FrameState::fresh, FrameState::fresh, FrameState::missing,
                           FrameState::fresh, FrameState::fresh}) {
    push(demux.sink.get(), {kFormat, {state}, 0});
    if (BufferPtr frame = pull(demux.src[0].get()); frame)
      discont.push_back(GST_BUFFER_IS_DISCONT(frame.get()));
  }
  EXPECT_EQ(discont, (std::vector<bool>{true, false, true, false}));
}

TEST(DemuxCaps, ArePlainVideo) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 2);
  push(demux.sink.get(), all_fresh(kFormat, 2));
  CapsPtr wanted(gst_caps_from_string(frame_caps(kFormat).c_str()));
  CapsPtr caps = demux.caps(0);
  EXPECT_TRUE(gst_caps_is_equal(caps.get(), wanted.get()));
}

TEST(DemuxCaps, AreDmabufsWhereTheNextElementTakesThem) {
  Demux demux;
  demux.add(0, "video/x-raw(memory:DMABuf)");
  demux.add(1, "video/x-raw");
  demux.add(2);
  play(demux.sink.get(), kFormat, 3, ", memory:DMABuf");
  ASSERT_EQ(push(demux.sink.get(), all_fresh(kFormat, 3)), GST_FLOW_OK);
  EXPECT_TRUE(is_dmabuf(demux.caps(0).get()));
  EXPECT_FALSE(is_dmabuf(demux.caps(1).get()));
  EXPECT_TRUE(is_dmabuf(demux.caps(2).get()));
}

TEST(DemuxCaps, OfTheNextElementsReachTheSource) {
  Demux demux;
  demux.add(0, "video/x-raw, width=640");
  demux.add(1, "video/x-raw(memory:DMABuf), height=480");
  CapsPtr caps(gst_pad_peer_query_caps(demux.sink->srcpad, nullptr));
  CapsPtr fits(gst_caps_from_string(
      batch_caps({PixelFormat::nv12, 640, 480, {30, 1}}, 2, ", memory:DMABuf").c_str()));
  EXPECT_TRUE(gst_caps_can_intersect(caps.get(), fits.get()));
  for (const std::string& other :
       {batch_caps({PixelFormat::nv12, 640, 480, {30, 1}}, 2),
        batch_caps({PixelFormat::nv12, 320, 480, {30, 1}}, 2, ", memory:DMABuf"),
        batch_caps({PixelFormat::nv12, 640, 360, {30, 1}}, 2, ", memory:DMABuf")}) {
    CapsPtr wrong(gst_caps_from_string(other.c_str()));
    EXPECT_FALSE(gst_caps_can_intersect(caps.get(), wrong.get())) << other;
  }
}

TEST(DemuxCaps, ChangeWhileRunning) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  push(demux.sink.get(), all_fresh(kFormat, 1));
  const Format other{PixelFormat::gray8, 320, 180, {30, 1}};
  play(demux.sink.get(), other, 3);
  ASSERT_EQ(push(demux.sink.get(), all_fresh(other, 3)), GST_FLOW_OK);
  CapsPtr wanted(gst_caps_from_string(frame_caps(other).c_str()));
  EXPECT_TRUE(gst_caps_is_equal(demux.caps(0).get(), wanted.get()));
}

TEST(DemuxStreams, HaveIdsOfTheirOwnInTheGroupOfTheBatches) {
  Demux demux{0, 1};
  GstEvent* batches = gst_event_new_stream_start("batches");
  gst_event_set_group_id(batches, 77);
  gst_harness_push_event(demux.sink.get(), batches);
  play(demux.sink.get(), kFormat, 2);
  std::set<std::string> ids;
  for (guint slot : {0u, 1u}) {
    EventPtr start = demux.event(slot, GST_EVENT_STREAM_START);
    ASSERT_TRUE(start);
    const gchar* id = nullptr;
    guint group = 0;
    gst_event_parse_stream_start(start.get(), &id);
    gst_event_parse_group_id(start.get(), &group);
    ids.insert(id);
    EXPECT_EQ(group, 77u);
  }
  EXPECT_EQ(ids.size(), 2u);
}

TEST(DemuxStreams, CarryTagsToEveryPad) {
  Demux demux{0, 1};
  play(demux.sink.get(), kFormat, 2);
  gst_harness_push_event(demux.sink.get(),
                         gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "rig", nullptr)));
  EXPECT_TRUE(demux.event(0, GST_EVENT_TAG));
  EXPECT_TRUE(demux.event(1, GST_EVENT_TAG));
}

TEST(DemuxStreams, EndTogether) {
  Demux demux{0, 1};
  play(demux.sink.get(), kFormat, 2);
  gst_harness_push_event(demux.sink.get(), gst_event_new_eos());
  EXPECT_TRUE(demux.event(0, GST_EVENT_EOS));
  EXPECT_TRUE(demux.event(1, GST_EVENT_EOS));
}

TEST(DemuxStreams, GoOnAfterAFlush) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  push(demux.sink.get(), all_fresh(kFormat, 1, 0));
  pull(demux.src[0].get());
  gst_harness_push_event(demux.sink.get(), gst_event_new_flush_start());
  gst_harness_push_event(demux.sink.get(), gst_event_new_flush_stop(TRUE));
  EXPECT_TRUE(demux.event(0, GST_EVENT_FLUSH_STOP));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(demux.sink.get(), gst_event_new_segment(&segment));
  ASSERT_EQ(push(demux.sink.get(), all_fresh(kFormat, 1, 1)), GST_FLOW_OK);
  EXPECT_TRUE(GST_BUFFER_IS_DISCONT(pull(demux.src[0].get()).get()));
}

TEST(Demux, BufferThatIsNoBatchIsAnError) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  EXPECT_EQ(gst_harness_push(demux.sink.get(), make_frame(kFormat, {}).release()), GST_FLOW_ERROR);
  EXPECT_THAT(demux.bus.take_error(), HasSubstr("GstLockstepBatchMeta"));
}

TEST(Demux, TakesSixtyFourSlotsApart) {
  Demux demux;
  for (guint slot = 0; slot < 64; slot++) demux.add(slot);
  play(demux.sink.get(), kFormat, 64);
  ASSERT_EQ(push(demux.sink.get(), all_fresh(kFormat, 64)), GST_FLOW_OK);
  for (guint slot = 0; slot < 64; slot++) {
    BufferPtr frame = pull(demux.src[slot].get());
    EXPECT_EQ(code_in(frame.get(), kFormat, {0, 0, 160, 90})->sensor, slot);
  }
}

TEST(Demux, PassesLatencyAndQualityOfServiceOn) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 1);
  push(demux.sink.get(), all_fresh(kFormat, 1));
  gst_harness_set_upstream_latency(demux.sink.get(), 7 * GST_MSECOND);
  EXPECT_EQ(gst_harness_query_latency(demux.src[0].get()), 7 * GST_MSECOND);
  gst_harness_push_upstream_event(demux.src[0].get(),
                                  gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 0.5, 1, 1));
  bool arrived = false;
  while (GstEvent* event = gst_harness_try_pull_upstream_event(demux.sink.get())) {
    arrived |= GST_EVENT_TYPE(event) == GST_EVENT_QOS;
    gst_event_unref(event);
  }
  EXPECT_TRUE(arrived);
}

TEST(Demux, StartsAnewAfterReady) {
  Demux demux{0};
  play(demux.sink.get(), kFormat, 4);
  push(demux.sink.get(), all_fresh(kFormat, 4));
  gst_element_set_state(demux.element.get(), GST_STATE_READY);
  gst_element_set_state(demux.element.get(), GST_STATE_PLAYING);
  pull(demux.src[0].get());
  while (demux.event(0, GST_EVENT_STREAM_START)) {
  }
  gst_harness_push_event(demux.sink.get(), gst_event_new_stream_start("again"));
  play(demux.sink.get(), kFormat, 1);
  ASSERT_EQ(push(demux.sink.get(), all_fresh(kFormat, 1)), GST_FLOW_OK);
  EXPECT_TRUE(demux.event(0, GST_EVENT_STREAM_START));
  EXPECT_TRUE(pull(demux.src[0].get()));
}

}  // namespace
}  // namespace lockstep
