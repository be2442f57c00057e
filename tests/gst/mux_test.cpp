// SPDX-License-Identifier: MIT
// lockstepmux: which frames make a batch, when it leaves, and what it says.
#include <gmock/gmock.h>
#include <gst/base/gstaggregator.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "mux_bench.h"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

GstSegment segment_of(GstClockTime start, GstClockTime base, double rate) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = start;
  segment.time = start;
  segment.base = base;
  segment.rate = rate;
  return segment;
}

void add_reference(GstBuffer* buffer, const char* caps, GstClockTime time) {
  CapsPtr reference(gst_caps_from_string(caps));
  gst_buffer_add_reference_timestamp_meta(buffer, reference.get(), time, GST_CLOCK_TIME_NONE);
}

TEST(Mux, FullSetLeavesInSlotOrderWhateverTheOrderOfArrival) {
  MuxBench bench({0, 1, 2});
  std::vector<guint> order{0, 1, 2};
  guint number = 0;
  do {
    for (guint pad : order) bench.push(pad, number, at(number));
    EXPECT_EQ(bench.pull(), text_of_all(3, number));
    ++number;
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Mux, BatchSaysWhenItIsOfAndHowFarItsFramesAreApart) {
  MuxBench bench({0, 1, 2});
  for (guint number : {0u, 1u}) {
    bench.push(1, number, at(number) + 3 * kMs);
    bench.push(0, number, at(number) + 1 * kMs);
    bench.push(2, number, at(number) + 6 * kMs);
    const BufferPtr batch = bench.pull_batch();
    ASSERT_TRUE(batch);
    EXPECT_EQ(GST_BUFFER_PTS(batch.get()), at(number) + 1 * kMs);
    EXPECT_EQ(GST_BUFFER_DURATION(batch.get()), GST_SECOND / 30);
    EXPECT_EQ(GST_BUFFER_OFFSET(batch.get()), number);
    const GstLockstepBatchMeta* meta = meta_of(batch);
    EXPECT_EQ(meta->batch_number, number);
    EXPECT_EQ(meta->skew, 5 * kMs);
    EXPECT_FALSE(meta->contiguous);
    const GstClockTime offsets[] = {1 * kMs, 3 * kMs, 6 * kMs};
    for (guint slot = 0; slot < 3; ++slot) {
      EXPECT_EQ(meta->frames[slot].state, GST_LOCKSTEP_FRAME_FRESH);
      EXPECT_EQ(meta->frames[slot].sensor, slot);
      EXPECT_EQ(meta->frames[slot].sequence, number);
      EXPECT_EQ(meta->frames[slot].copies, 0u);
      EXPECT_EQ(GST_BUFFER_PTS(meta->frames[slot].buffer), at(number) + offsets[slot]);
    }
  }
}

TEST(Mux, BatchIsOfItsEarliestFrameWhateverSlotThatIsIn) {
  MuxBench bench({0, 1, 2});
  bench.push(0, 0, 5 * kMs);
  bench.push(1, 0, 4 * kMs);
  bench.push(2, 0, 6 * kMs);
  EXPECT_EQ(GST_BUFFER_PTS(bench.pull_batch().get()), 4 * kMs);
  bench.end({0});
  bench.push_all({1, 2}, 1);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "- 1:1 2:1");
  EXPECT_EQ(GST_BUFFER_PTS(batch.get()), at(1));
}

TEST(Mux, FramesStayTheVeryMemoryThatCame) {
  MuxBench bench({0, 1});
  BufferPtr first = bench.frame(0, 0, 0);
  BufferPtr second = bench.frame(1, 0, 0);
  const GstMemory* memories[] = {gst_buffer_peek_memory(first.get(), 0),
                                 gst_buffer_peek_memory(second.get(), 0)};
  bench.push(1, std::move(second));
  bench.push(0, std::move(first));
  const BufferPtr batch = bench.pull_batch();
  for (guint slot : {0u, 1u})
    EXPECT_EQ(gst_buffer_peek_memory(meta_of(batch)->frames[slot].buffer, 0), memories[slot]);
  EXPECT_EQ(gst_buffer_n_memory(batch.get()), 0u);
}

TEST(Mux, SegmentsArePutToOneTime) {
  MuxBench bench({0, 1, 2});
  bench.set_segment(1, segment_of(10 * GST_SECOND, GST_SECOND, 1.0));
  bench.set_segment(2, segment_of(0, 0, 2.0));
  const GstClockTime time = GST_SECOND + at(3);
  bench.push(0, 3, time);
  bench.push(1, 3, 10 * GST_SECOND + at(3));
  bench.push(2, 3, 2 * time);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:3 1:3 2:3");
  EXPECT_EQ(GST_BUFFER_PTS(batch.get()), time);
  for (guint slot = 0; slot < 3; ++slot)
    EXPECT_EQ(GST_BUFFER_PTS(meta_of(batch)->frames[slot].buffer), time);
}

TEST(Mux, WhatWouldChangeNothingCannotBeSet) {
  MuxBench bench({0});
  GstPad* pad = gst_element_get_static_pad(bench.element(), "sink_0");
  const GParamSpec* of_pad = g_object_class_find_property(G_OBJECT_GET_CLASS(pad), "emit-signals");
  EXPECT_EQ(of_pad->flags & G_PARAM_WRITABLE, 0);
  gboolean emits = TRUE;
  g_object_get(pad, "emit-signals", &emits, nullptr);
  EXPECT_FALSE(emits);
  gst_object_unref(pad);
  for (const char* name : {"start-time", "start-time-selection", "emit-signals"}) {
    const GParamSpec* spec =
        g_object_class_find_property(G_OBJECT_GET_CLASS(bench.element()), name);
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->flags & G_PARAM_WRITABLE, 0) << name;
  }
  GstAggregatorStartTimeSelection selection{};
  guint64 time = 0;
  g_object_get(bench.element(), "start-time-selection", &selection, "start-time", &time, nullptr);
  EXPECT_EQ(selection, GST_AGGREGATOR_START_TIME_SELECTION_FIRST);
  EXPECT_EQ(time, GST_CLOCK_TIME_NONE);
}

TEST(Mux, FrameOutsideItsSegmentIsClipped) {
  MuxBench bench({0, 1});
  bench.set_segment(0, segment_of(GST_SECOND, GST_SECOND, 1.0));
  bench.push(0, 0, 0);
  bench.push(0, 30, at(30));
  bench.push(1, 30, at(30));
  EXPECT_EQ(bench.pull(), "0:30 1:30");
  EXPECT_EQ(bench.stats().drops(0, "clipped"), 1u);
}

TEST(MuxCaptureTime, GroupsByTheReferenceTimestampsAskedFor) {
  MuxBench bench({0, 1}, "sync-mode=capture-time reference-timestamp-caps=timestamp/x-ntp");
  for (guint number : {0u, 1u}) {
    for (guint pad : {1u, 0u}) {
      // Neither the PTS nor the other kind of reference would put these together.
      BufferPtr frame = bench.frame(pad, number, at(number) + pad * GST_SECOND);
      add_reference(frame.get(), "timestamp/x-unix", 7 * number + 70 * GST_SECOND * pad);
      add_reference(frame.get(), "timestamp/x-ntp", GST_SECOND + at(number) + pad * kMs);
      bench.push(pad, std::move(frame));
    }
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(2, number));
    EXPECT_EQ(meta_of(batch)->skew, kMs);
    EXPECT_EQ(meta_of(batch)->frames[1].capture_time, GST_SECOND + at(number) + kMs);
  }
}

TEST(MuxCaptureTime, TakesTheFirstReferenceThereIsUnlessToldOtherwise) {
  MuxBench bench({0, 1}, "sync-mode=capture-time");
  for (guint pad : {0u, 1u}) {
    BufferPtr frame = bench.frame(pad, 0, pad * GST_SECOND);
    add_reference(frame.get(), "timestamp/x-unix", GST_SECOND);
    add_reference(frame.get(), "timestamp/x-ntp", GST_SECOND * (1 + 5 * pad));
    bench.push(pad, std::move(frame));
  }
  EXPECT_EQ(bench.pull(), "0:0 1:0");
}

TEST(MuxCaptureTime, FrameWithoutReferenceIsCountedAndSaid) {
  MuxBench bench({0, 1}, "sync-mode=capture-time reference-timestamp-caps=timestamp/x-ntp");
  bench.push(0, 0, 0);
  EXPECT_THAT(bench.warning(), HasSubstr("sink_0 sends frames without a reference timestamp of "
                                         "caps timestamp/x-ntp; for RTP set"));
  bench.push(0, 1, at(1));
  EXPECT_EQ(bench.stats().drops(0, "untimed"), 2u);
  EXPECT_FALSE(bench.has_message(GST_MESSAGE_WARNING));
}

TEST(MuxArrival, PutsTheNewestOfEachPadTogether) {
  MuxBench bench({0, 1}, "sync-mode=arrival");
  for (guint number = 0; number < 3; ++number) bench.push(0, number, GST_CLOCK_TIME_NONE);
  bench.push(1, 0, GST_CLOCK_TIME_NONE);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:2 1:0");
  EXPECT_EQ(bench.stats().drops(0, "surplus"), 2u);
  EXPECT_EQ(meta_of(batch)->frames[0].reference_point, GST_LOCKSTEP_REFERENCE_POINT_ARRIVAL);
  EXPECT_EQ(meta_of(batch)->frames[0].clock, GST_LOCKSTEP_CLOCK_MONOTONIC);
}

TEST(MuxSyncMode, ChangesWhileRunning) {
  MuxBench bench({0, 1}, "max-wait=3600000000000");
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.push_all({0}, 1);
  bench.set("sync-mode", "arrival");
  // What was grouped otherwise is not waited for any more.
  EXPECT_EQ(bench.stats().drops(0, "flushed"), 1u);
  bench.push(0, 2, GST_CLOCK_TIME_NONE);
  bench.push(1, 2, GST_CLOCK_TIME_NONE);
  EXPECT_EQ(bench.pull(), "0:2 1:2");
  bench.set("sync-mode", "capture-time");
  bench.set("reference-timestamp-caps", "timestamp/x-ntp");
  for (guint pad : {0u, 1u}) {
    BufferPtr frame = bench.frame(pad, 3, at(3) + pad * GST_SECOND);
    add_reference(frame.get(), "timestamp/x-unix", pad * GST_SECOND);
    add_reference(frame.get(), "timestamp/x-ntp", GST_SECOND);
    bench.push(pad, std::move(frame));
  }
  EXPECT_EQ(bench.pull(), "0:3 1:3");
}

TEST(MuxTolerance, IsHalfAFramePeriodUnlessToldOtherwise) {
  MuxBench bench({0, 1}, "pace=all");
  bench.push(0, 0, 0);
  bench.push(1, 0, GST_SECOND / 60);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.push(0, 1, GST_SECOND);
  bench.push(1, 1, GST_SECOND + GST_SECOND / 60 + 2);
  EXPECT_EQ(bench.pull(), "0:1 -");
}

TEST(MuxTolerance, ChangesWhileRunning) {
  MuxBench bench({0, 1}, "sync-tolerance=0 pace=all");
  bench.push(0, 0, 0);
  bench.push(1, 0, 1);
  EXPECT_EQ(bench.pull(), "0:0 -");
  bench.set("sync-tolerance", "1");
  bench.push(0, 1, GST_SECOND + 1);
  EXPECT_EQ(bench.pull(), "- 1:0");
  bench.push(1, 1, GST_SECOND);
  EXPECT_EQ(bench.pull(), "0:1 1:1");
}

TEST(MuxOnMissing, DecidesWhatBecomesOfABatchAndChangesWhileRunning) {
  MuxBench bench({0, 1}, "on-missing=repeat");
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  // Pad 1 skips 1, as is known as soon as its 2 is there.
  const auto push_pair = [&](guint number) {
    bench.push(0, number, at(number));
    bench.push(0, number + 1, at(number + 1));
    bench.push(1, number + 1, at(number + 1));
  };
  push_pair(1);
  EXPECT_EQ(bench.pull(), "0:1 1:0r");
  EXPECT_EQ(bench.pull(), "0:2 1:2");
  bench.set("on-missing", "partial");
  push_pair(3);
  EXPECT_EQ(bench.pull(), "0:3 -");
  EXPECT_EQ(bench.pull(), "0:4 1:4");
  bench.set("on-missing", "drop");
  push_pair(5);
  EXPECT_EQ(bench.pull(), "0:6 1:6");
  const Stats stats = bench.stats();
  EXPECT_EQ(stats.drops(0, "unmatched"), 1u);
  EXPECT_EQ(stats.of("dropped-batches"), 1u);
  EXPECT_EQ(stats.of(1, "repeated"), 1u);
  EXPECT_EQ(stats.of(1, "missing"), 1u);
}

TEST(MuxMaxWait, EndsTheWaitForAPadThatIsSilent) {
  MuxBench bench({0, 1}, "max-wait=0");
  bench.push(0, 0, 0);
  EXPECT_EQ(bench.pull(), "0:0 -");
  bench.push(1, 0, 0);
  bench.push_all({1}, 1);
  EXPECT_EQ(bench.pull(), "- 1:1");
  EXPECT_EQ(bench.stats().drops(1, "late"), 1u);
}

TEST(MuxMaxWait, ChangesWhileAFrameWaits) {
  MuxBench bench({0, 1}, "max-wait=3600000000000");
  bench.push(0, 0, 0);
  bench.set("max-wait", "1000000");
  EXPECT_EQ(bench.pull(), "0:0 -");
}

// Whether the push still waits after a while: one that must wait for ever is never taken for one that does not.
bool waits(std::future<GstFlowReturn>& pushed) {
  return pushed.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout;
}

TEST(MuxQueue, HoldsUpWhoeverPushesBeyondItUntilOneLeaves) {
  MuxBench bench({0, 1}, "max-queued=2");
  bench.push_all({0}, 0);
  bench.push_all({0}, 1);
  auto third = bench.push_later(0, 2, at(2));
  EXPECT_TRUE(waits(third));
  bench.push_all({1}, 0);
  EXPECT_EQ(third.get(), GST_FLOW_OK);
  bench.push_all({1}, 1);
  bench.push_all({1}, 2);
  for (guint number : {0u, 1u, 2u}) EXPECT_EQ(bench.pull(), text_of_all(2, number));
  EXPECT_EQ(bench.stats().of(0, "drops"), 0u);
}

TEST(MuxQueue, DropsWhatIsBeyondItWhereLeaky) {
  MuxBench bench({0, 1}, "max-queued=2 late-policy=leaky");
  for (guint number = 0; number < 5; ++number) bench.push_all({0}, number);
  EXPECT_EQ(bench.stats().drops(0, "overflow"), 3u);
  for (guint number = 0; number < 2; ++number) bench.push_all({1}, number);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_EQ(bench.pull(), "0:1 1:1");
  StructurePtr told = bench.told("lockstep-frames-dropped");
  EXPECT_STREQ(gst_structure_get_string(told.get(), "reason"), "overflow");
  EXPECT_STREQ(gst_structure_get_string(told.get(), "name"), "sink_0");
}

TEST(MuxQueue, LetsThoseHeldUpGoOnWhenItGrows) {
  MuxBench bench({0, 1}, "max-queued=1");
  bench.push_all({0}, 0);
  auto second = bench.push_later(0, 1, at(1));
  EXPECT_TRUE(waits(second));
  bench.set("max-queued", "2");
  EXPECT_EQ(second.get(), GST_FLOW_OK);
  bench.push_all({1}, 0);
  bench.push_all({1}, 1);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_EQ(bench.pull(), "0:1 1:1");
}

TEST(MuxQueue, LetsThoseHeldUpGoOnWhenItBecomesLeaky) {
  MuxBench bench({0, 1}, "max-queued=1");
  bench.push_all({0}, 0);
  auto second = bench.push_later(0, 1, at(1));
  EXPECT_TRUE(waits(second));
  bench.set("late-policy", "leaky");
  EXPECT_EQ(second.get(), GST_FLOW_OK);
  EXPECT_EQ(bench.stats().drops(0, "overflow"), 1u);
}

TEST(MuxQueue, HoldsFourFramesWhereNothingIsLive) {
  MuxBench bench({0, 1});
  for (guint number = 0; number < 4; ++number) bench.push_all({0}, number);
  auto fifth = bench.push_later(0, 4, at(4));
  EXPECT_TRUE(waits(fifth));
  bench.push_all({1}, 0);
  EXPECT_EQ(fifth.get(), GST_FLOW_OK);
}

// Pushes what a second of two pads brings, then ends them; everything that came out.
std::vector<std::string> second_of(MuxBench& bench, guint rate_0, guint rate_1) {
  const auto bring = [&](guint pad, guint rate) {
    for (guint i = 0; i < rate; ++i)
      EXPECT_EQ(bench.push(pad, i, gst_util_uint64_scale(i, GST_SECOND, rate)), GST_FLOW_OK);
    bench.end({pad});
  };
  std::thread other(bring, 0, rate_0);
  bring(1, rate_1);
  other.join();
  return bench.pull_rest();
}

TEST(MuxPace, IsThatOfTheSlowestPad) {
  MuxBench bench;
  bench.add(0, small_caps("15/1"));
  bench.add(1, small_caps("30/1"));
  const auto texts = second_of(bench, 15, 30);
  ASSERT_EQ(texts.size(), 16u);
  for (guint i = 0; i < 15; ++i)
    EXPECT_EQ(texts[i], "0:" + std::to_string(i) + " 1:" + std::to_string(2 * i));
  // Nobody is slower than pad 1 once pad 0 has ended.
  EXPECT_EQ(texts[15], "- 1:29");
  EXPECT_EQ(bench.stats().drops(1, "surplus"), 14u);
  EXPECT_THAT(bench.caps(), HasSubstr("framerate=(fraction)15/1"));
}

TEST(MuxPace, OfAllMakesABatchOfEachInstant) {
  MuxBench bench({}, "pace=all");
  bench.add(0, small_caps("15/1"));
  bench.add(1, small_caps("30/1"));
  const auto texts = second_of(bench, 15, 30);
  ASSERT_EQ(texts.size(), 30u);
  for (guint i = 0; i < 30; ++i)
    EXPECT_EQ(texts[i], (i % 2 ? "-" : "0:" + std::to_string(i / 2)) + " 1:" + std::to_string(i));
  EXPECT_EQ(bench.stats().drops(1, "surplus"), 0u);
  EXPECT_THAT(bench.caps(), HasSubstr("framerate=(fraction)30/1"));
}

TEST(MuxPace, OfANamedPadHasEveryFrameOfIt) {
  MuxBench bench({}, "pace=sink_1");
  bench.add(0, small_caps("15/1"));
  bench.add(1, small_caps("30/1"));
  const auto texts = second_of(bench, 15, 30);
  EXPECT_EQ(texts.size(), 30u);
  EXPECT_THAT(bench.caps(), HasSubstr("framerate=(fraction)30/1"));
}

TEST(MuxPace, OfAPadThatThereIsNotIsThatOfAllAndSaid) {
  MuxBench bench({}, "pace=sink_7");
  bench.add(0, small_caps("15/1"));
  bench.add(1, small_caps("30/1"));
  EXPECT_EQ(second_of(bench, 15, 30).size(), 30u);
  EXPECT_THAT(bench.warning(), HasSubstr("pace=sink_7 is none of slowest, all and the pads"));
}

TEST(MuxPace, ChangesWhileRunning) {
  MuxBench bench;
  bench.add(0, small_caps("15/1"));
  bench.add(1, small_caps("30/1"));
  bench.push(0, 0, 0);
  bench.push(1, 0, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.set("pace", "all");
  bench.push(1, 1, at(1));
  bench.push(1, 2, at(2));
  bench.push(0, 1, at(2));
  EXPECT_EQ(bench.pull(), "- 1:1");
  EXPECT_EQ(bench.pull(), "0:1 1:2");
}

TEST(MuxPace, OfRatesThatDoNotDivideTakesTheNearestFrame) {
  MuxBench bench;
  bench.add(0, small_caps("25/1"));
  bench.add(1, small_caps("30/1"));
  const auto texts = second_of(bench, 25, 30);
  ASSERT_EQ(texts.size(), 25u);
  for (guint i = 0; i < 25; ++i) {
    EXPECT_THAT(texts[i], testing::StartsWith("0:" + std::to_string(i) + " ")) << i;
  }
  EXPECT_EQ(texts[0], "0:0 1:0");
  EXPECT_EQ(texts[5], "0:5 1:6");
  EXPECT_EQ(texts[20], "0:20 1:24");
}

TEST(MuxPace, OfUnknownRatesIsFoundOut) {
  MuxBench bench({}, "max-queued=8");
  bench.add(0, small_caps("0/1"));
  bench.add(1, small_caps("0/1"));
  const auto texts = second_of(bench, 30, 30);
  ASSERT_EQ(texts.size(), 30u);
  for (guint i = 0; i < 30; ++i) EXPECT_EQ(texts[i], text_of_all(2, i));
  EXPECT_THAT(bench.caps(), HasSubstr("framerate=(fraction)0/1"));
}

TEST(Mux, LosesNothingWhereSourcesAreNotLive) {
  for (int run = 0; run < 5; ++run) {
    MuxBench bench({0, 1, 2});
    std::vector<std::thread> threads;
    for (guint pad = 0; pad < 3; ++pad) {
      threads.emplace_back([&bench, pad, run] {
        for (guint number = 0; number < 60; ++number) {
          // Pads race in another way each time.
          if ((number + pad + static_cast<guint>(run)) % 7 == 0) std::this_thread::yield();
          EXPECT_EQ(bench.push(pad, number, at(number)), GST_FLOW_OK);
        }
        bench.end({pad});
      });
    }
    const auto texts = bench.pull_rest();
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(texts.size(), 60u);
    for (guint number = 0; number < 60; ++number) EXPECT_EQ(texts[number], text_of_all(3, number));
  }
}

TEST(MuxStats, TellWhatHappened) {
  MuxBench bench({0, 1});
  bench.push_all({0, 1}, 0);
  bench.pull();
  bench.push_all({0}, 1);
  bench.push_all({0, 1}, 2);
  bench.pull();
  bench.pull();
  const Stats stats = bench.stats();
  EXPECT_EQ(stats.of("batches"), 3u);
  EXPECT_EQ(stats.of("incomplete"), 1u);
  EXPECT_EQ(stats.of("by-reference"), 3u);
  EXPECT_EQ(stats.of("dropped-batches"), 0u);
  EXPECT_EQ(stats.of("copies"), 0u);
  EXPECT_EQ(stats.of("skew-max"), 0u);
  ASSERT_EQ(stats.num_pads(), 2u);
  EXPECT_EQ(stats.text(0, "name"), "sink_0");
  EXPECT_EQ(stats.text(1, "name"), "sink_1");
  EXPECT_EQ(stats.of(0, "frames"), 3u);
  EXPECT_EQ(stats.of(1, "frames"), 2u);
  EXPECT_EQ(stats.of(1, "missing"), 1u);
  EXPECT_EQ(stats.text(0, "io"), "by reference (the frames lie in memory of upstream)");
}

}  // namespace
}  // namespace lockstep
