// SPDX-License-Identifier: MIT
// Pads of the demuxer that come and go, and what each has to say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "batches.h"
#include "demux_bench.h"
#include "harness.h"
#include "pipeline.h"

namespace lockstep {
namespace {

using testing::HasSubstr;

TEST(DemuxPads, RequestedWhileRunningBeginLikeTheOthers) {
  Demux demux{0};
  play(demux.sink.get(), kDemuxFormat, 2);
  push(demux.sink.get(), all_fresh(kDemuxFormat, 2, 0));
  demux.add(1);
  ASSERT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2, 1)), GST_FLOW_OK);
  EXPECT_TRUE(demux.event(1, GST_EVENT_STREAM_START));
  EXPECT_TRUE(demux.event(1, GST_EVENT_CAPS));
  EXPECT_TRUE(demux.event(1, GST_EVENT_SEGMENT));
  BufferPtr frame = pull(demux.src[1].get());
  ASSERT_TRUE(frame);
  EXPECT_EQ(code_in(frame.get(), kDemuxFormat, {0, 0, 160, 90})->sequence, 1u);
}

TEST(DemuxPads, ReleasedWhileRunningAreLeftOut) {
  Demux demux{0, 1};
  play(demux.sink.get(), kDemuxFormat, 2);
  push(demux.sink.get(), all_fresh(kDemuxFormat, 2, 0));
  demux.src.erase(1);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2, 1)), GST_FLOW_OK);
  EXPECT_EQ(GST_ELEMENT(demux.element.get())->numsrcpads, 1);
}

TEST(DemuxPads, WithoutANameAreForTheLowestFreeSlot) {
  Demux demux{0, 2};
  GstPad* pad = gst_element_request_pad_simple(demux.element.get(), "src_%u");
  ASSERT_TRUE(pad);
  EXPECT_STREQ(GST_PAD_NAME(pad), "src_1");
  gst_element_release_request_pad(demux.element.get(), pad);
  gst_object_unref(pad);
}

TEST(DemuxPads, ThatAreNotLinkedStopNoOther) {
  Demux demux{0};
  GstPad* loose = gst_element_request_pad_simple(demux.element.get(), "src_1");
  play(demux.sink.get(), kDemuxFormat, 2);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_OK);
  EXPECT_TRUE(pull(demux.src[0].get()));
  gst_object_unref(loose);
}

TEST(DemuxPads, NoneLinkedIsToldUpstream) {
  Demux none;
  play(none.sink.get(), kDemuxFormat, 2);
  EXPECT_EQ(push(none.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_NOT_LINKED);
  Demux loose;
  GstPad* pad = gst_element_request_pad_simple(loose.element.get(), "src_1");
  play(loose.sink.get(), kDemuxFormat, 2);
  EXPECT_EQ(push(loose.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_NOT_LINKED);
  gst_object_unref(pad);
}

TEST(DemuxPads, ThatEndedStopNoOtherUntilAllHave) {
  Demux demux{0, 1};
  play(demux.sink.get(), kDemuxFormat, 2);
  const auto end = [&](guint slot) {
    gst_pad_set_chain_function(demux.src[slot]->sinkpad,
                               [](GstPad*, GstObject*, GstBuffer* buffer) {
                                 gst_buffer_unref(buffer);
                                 return GST_FLOW_EOS;
                               });
  };
  end(0);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_OK);
  end(1);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_EOS);
}

// Who unlinks or shuts down a branch does so while it is being pushed to.
TEST(DemuxPads, ReleasedWhileTheyArePushedToHaveNoSay) {
  for (GstFlowReturn last : {GST_FLOW_FLUSHING, GST_FLOW_EOS, GST_FLOW_ERROR}) {
    Demux demux{0, 1};
    play(demux.sink.get(), kDemuxFormat, 2);
    struct Leaving {
      GstElement* demux;
      GstFlowReturn flow;
    } leaving{demux.element.get(), last};
    GstPad* sink = demux.src[0]->sinkpad;
    gst_pad_set_chain_function_full(
        sink,
        [](GstPad* pad, GstObject*, GstBuffer* buffer) {
          gst_buffer_unref(buffer);
          const auto* leaves = static_cast<const Leaving*>(pad->chaindata);
          GstPad* peer = gst_pad_get_peer(pad);
          gst_element_release_request_pad(leaves->demux, peer);
          gst_object_unref(peer);
          return leaves->flow;
        },
        &leaving, nullptr);
    EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2, 0)), GST_FLOW_OK);
    EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2, 1)), GST_FLOW_OK);
    EXPECT_TRUE(pull(demux.src[1].get()));
    EXPECT_TRUE(pull(demux.src[1].get()));
  }
}

TEST(DemuxPads, WhoseBranchIsShutDownStopNoOtherUntilAllAre) {
  Demux demux{0, 1};
  play(demux.sink.get(), kDemuxFormat, 2);
  gst_pad_set_active(demux.src[0]->sinkpad, FALSE);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_OK);
  EXPECT_TRUE(pull(demux.src[1].get()));
  gst_pad_set_active(demux.src[1]->sinkpad, FALSE);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_FLUSHING);
}

TEST(DemuxPads, ErrorOfOneIsToldUpstream) {
  Demux demux{0, 1};
  play(demux.sink.get(), kDemuxFormat, 2);
  gst_pad_set_chain_function(demux.src[0]->sinkpad, [](GstPad*, GstObject*, GstBuffer* buffer) {
    gst_buffer_unref(buffer);
    return GST_FLOW_ERROR;
  });
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 2)), GST_FLOW_ERROR);
}

// A branch of a running pipeline: a queue and a sink on a pad of the demuxer.
struct Branch {
  Branch(GstBin* into, GstElement* of)
      : bin(into),
        demux(of),
        queue(gst_element_factory_make("queue", nullptr)),
        sink(gst_element_factory_make("fakesink", nullptr)) {
    g_object_set(sink, "sync", FALSE, "async", FALSE, nullptr);
    gst_bin_add_many(bin, queue, sink, nullptr);
    gst_element_link(queue, sink);
    gst_element_sync_state_with_parent(sink);
    gst_element_sync_state_with_parent(queue);
    peer = gst_element_get_static_pad(queue, "sink");
    pad = gst_element_request_pad_simple(demux, "src_1");
    gst_pad_link(pad, peer);
  }
  ~Branch() {
    for (GstElement* element : {queue, sink}) {
      gst_element_set_state(element, GST_STATE_NULL);
      gst_bin_remove(bin, element);
    }
    gst_object_unref(pad);
    gst_object_unref(peer);
  }
  Branch(const Branch&) = delete;
  Branch& operator=(const Branch&) = delete;

  bool waits_for_a_frame() {
    for (int tries = 0; tries < 1000 && !gst_pad_has_current_caps(peer); ++tries) g_usleep(10'000);
    return gst_pad_has_current_caps(peer);
  }
  void release() { gst_element_release_request_pad(demux, pad); }
  void block() {
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM,
        [](GstPad*, GstPadProbeInfo*, gpointer flag) {
          static_cast<std::atomic<bool>*>(flag)->store(true);
          return GST_PAD_PROBE_OK;
        },
        &blocked, nullptr);
    for (int tries = 0; tries < 1000 && !blocked; ++tries) g_usleep(10'000);
  }

  GstBin* bin;
  GstElement* demux;
  GstElement* queue;
  GstElement* sink;
  GstPad* peer = nullptr;
  GstPad* pad = nullptr;
  std::atomic<bool> blocked{false};
};

TEST(DemuxPads, ComeAndGoAHundredTimesWhilePlaying) {
  Pipeline pipeline(
      "lockstepsrc name=src num-sensors=2 sensors=\"sim?render=code\" ! "
      "video/x-raw(ANY),format=NV12,width=160,height=96,framerate=240/1 ! "
      "lockstepdemux name=demux demux.src_0 ! queue");
  ASSERT_EQ(pipeline.parse_error, "");
  const ElementPtr demux(gst_bin_get_by_name(GST_BIN(pipeline.get()), "demux"));
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(1));
  for (int i = 0; i < 100; ++i) {
    Branch branch(GST_BIN(pipeline.get()), demux.get());
    ASSERT_TRUE(branch.waits_for_a_frame()) << i;
    switch (i % 4) {
      case 0:
        break;
      case 1:
        gst_pad_unlink(branch.pad, branch.peer);
        break;
      case 2:
        gst_element_set_state(branch.queue, GST_STATE_NULL);
        break;
      case 3:
        branch.block();
        gst_pad_unlink(branch.pad, branch.peer);
        break;
    }
    branch.release();
    ASSERT_TRUE(pipeline.wait_for_buffers(pipeline.num_buffers + 2)) << i;
  }
  const auto error = pipeline.wait_for(GST_MESSAGE_ERROR, 0);
  EXPECT_FALSE(error) << Pipeline::error_text(error.get());
}

TEST(DemuxPads, BeyondTheBatchAreAnError) {
  Demux demux{0, 4};
  play(demux.sink.get(), kDemuxFormat, 4);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 4)), GST_FLOW_NOT_NEGOTIATED);
  EXPECT_THAT(demux.bus.take_error(), HasSubstr("slot 4 of a batch with slots 0 to 3"));
}

TEST(DemuxPads, BeyondTheBatchAreAnErrorWhileRunningToo) {
  Demux demux{0};
  play(demux.sink.get(), kDemuxFormat, 4);
  push(demux.sink.get(), all_fresh(kDemuxFormat, 4));
  demux.add(4);
  EXPECT_EQ(push(demux.sink.get(), all_fresh(kDemuxFormat, 4)), GST_FLOW_ERROR);
  EXPECT_THAT(demux.bus.take_error(), HasSubstr("link no pad beyond src_3"));
}

}  // namespace
}  // namespace lockstep
