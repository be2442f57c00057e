// SPDX-License-Identifier: MIT
// lockstepmux where pads are live: latency, waits, pads that stall or whose clock is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mux_bench.h"

namespace lockstep {
namespace {

using testing::HasSubstr;

constexpr MuxBench::Live kLive = MuxBench::Live::yes;
// So that what leaves does so because it may, and never because it waited.
constexpr const char* kWaitAndQueue = "max-wait=3600000000000 max-queued=64 ";

GstClockTime latency_of(const MuxBench& bench) { return gst_harness_query_latency(bench.out()); }

TEST(MuxLive, AddsItsWaitToTheLatencyUpstream) {
  MuxBench bench({}, "max-wait=40000000", kLive);
  bench.add(0, small_caps(), 10 * kMs);
  bench.add(1, small_caps(), 200 * kMs);
  // Before any frame came.
  EXPECT_EQ(latency_of(bench), 240 * kMs);
  bench.set("max-wait", "70000000");
  EXPECT_EQ(latency_of(bench), 270 * kMs);
}

TEST(MuxLive, WaitsForOneFramePeriodOfTheSlowestPadUnlessToldOtherwise) {
  MuxBench bench({}, "", kLive);
  bench.add(0, small_caps("25/1"), 5 * kMs);
  bench.add(1, small_caps("50/1"), 5 * kMs);
  bench.push(0, 0, bench.now());
  EXPECT_EQ(latency_of(bench), 45 * kMs);
}

TEST(MuxLive, AddsNothingWhereNothingIsLive) {
  MuxBench bench({0, 1}, "max-wait=40000000");
  bench.push_all({0}, 0);
  EXPECT_EQ(latency_of(bench), 0u);
}

TEST(MuxLive, GroupsByRunningTimeOfTheClock) {
  MuxBench bench({0, 1}, kWaitAndQueue, kLive);
  const GstClockTime now = bench.now();
  for (guint number : {0u, 1u, 2u}) {
    bench.push(1, number, now + number * 33 * kMs + 2 * kMs);
    bench.push(0, number, now + number * 33 * kMs);
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(2, number));
    EXPECT_EQ(GST_BUFFER_PTS(batch.get()), now + number * 33 * kMs);
    EXPECT_EQ(meta_of(batch)->skew, 2 * kMs);
    const GstLockstepFrame& frame = meta_of(batch)->frames[0];
    EXPECT_EQ(frame.clock, GST_LOCKSTEP_CLOCK_MONOTONIC);
    EXPECT_EQ(frame.capture_time,
              now + number * 33 * kMs + gst_element_get_base_time(bench.element()));
  }
}

BufferPtr without_pts(const MuxBench& bench, guint pad, guint number) {
  return bench.frame(pad, number, GST_CLOCK_TIME_NONE);
}

TEST(MuxLive, FramesWithoutPtsHaveTheRunningTimeOfTheirArrival) {
  MuxBench bench({0, 1}, "sync-mode=arrival", kLive);
  GstClockTime last = 0;
  for (guint number : {0u, 1u, 2u}) {
    const GstClockTime before = bench.now();
    for (guint pad : {0u, 1u}) bench.push(pad, without_pts(bench, pad, number));
    const GstClockTime after = bench.now();
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(2, number));
    EXPECT_GT(GST_BUFFER_PTS(batch.get()), last);
    last = GST_BUFFER_PTS(batch.get());
    for (guint slot : {0u, 1u}) {
      const GstClockTime pts = GST_BUFFER_PTS(meta_of(batch)->frames[slot].buffer);
      EXPECT_GE(pts + 2 * kMs, before);
      EXPECT_LE(pts, after + 2 * kMs);
    }
  }
}

TEST(MuxLive, FramesWithoutPtsHaveTheRunningTimeOfTheirCaptureWhereItIsKnown) {
  MuxBench bench({0, 1}, std::string(kWaitAndQueue) + "sync-mode=capture-time", kLive);
  const CapsPtr ntp(gst_caps_from_string("timestamp/x-ntp"));
  GstClockTime first = 0;
  for (guint number : {0u, 1u, 2u}) {
    const GstClockTime before = bench.now();
    for (guint pad : {0u, 1u}) {
      BufferPtr frame = without_pts(bench, pad, number);
      gst_buffer_add_reference_timestamp_meta(frame.get(), ntp.get(), GST_SECOND + at(number),
                                              GST_CLOCK_TIME_NONE);
      bench.push(pad, std::move(frame));
    }
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(2, number));
    const GstClockTime pts = GST_BUFFER_PTS(batch.get());
    if (number == 0) {
      first = pts;
      EXPECT_GE(pts + 2 * kMs, before);
      EXPECT_LE(pts, bench.now() + 2 * kMs);
    }
    EXPECT_NEAR(static_cast<double>(pts - first), static_cast<double>(at(number)), 2.0 * kMs);
  }
}

TEST(MuxLive, PadThatUpstreamDelaysIsNotLate) {
  MuxBench bench({}, "max-wait=1000000 max-queued=64", kLive);
  bench.add(0, small_caps(), 0);
  bench.add(1, small_caps(), 5 * GST_SECOND);
  const GstClockTime now = bench.now();
  for (guint number : {0u, 1u, 2u}) bench.push(0, number, now + number * 33 * kMs);
  // The wait is over by far, but for what pad 1 was bound to take.
  g_usleep(50'000);
  for (guint number : {0u, 1u, 2u}) bench.push(1, number, now + number * 33 * kMs);
  for (guint number : {0u, 1u, 2u}) EXPECT_EQ(bench.pull(), text_of_all(2, number));
  EXPECT_EQ(bench.stats().drops(1, "late"), 0u);
}

TEST(MuxLive, PadThatStallsIsToldOfAndWaitedForNoMoreUntilItIsBack) {
  MuxBench bench({0, 1}, kWaitAndQueue, kLive);
  const GstClockTime past = bench.now() - 2 * GST_SECOND;
  for (guint pad : {0u, 1u}) bench.push(pad, 0, past);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  bench.set("max-wait", "1000000");
  for (guint number : {1u, 2u, 3u}) {
    bench.push(0, number, past + number * 33 * kMs);
    EXPECT_EQ(bench.pull(), "0:" + std::to_string(number) + " -");
  }
  EXPECT_THAT(bench.warning(),
              HasSubstr("sink_1 sends nothing in time, the others go on without it"));
  StructurePtr told = bench.told("lockstep-sensor-stalled");
  ASSERT_TRUE(told);
  EXPECT_STREQ(gst_structure_get_string(told.get(), "name"), "sink_1");
  guint slot = 9;
  gst_structure_get_uint(told.get(), "sensor", &slot);
  EXPECT_EQ(slot, 1u);
  bench.set("max-wait", "3600000000000");
  bench.push(1, 4, past + 4 * 33 * kMs);
  bench.push(0, 4, past + 4 * 33 * kMs);
  EXPECT_EQ(bench.pull(), "0:4 1:4");
  told = bench.told("lockstep-sensor-back");
  ASSERT_TRUE(told);
  EXPECT_STREQ(gst_structure_get_string(told.get(), "name"), "sink_1");
}

TEST(MuxLive, PadThatBeginsLaterGetsItsSlot) {
  MuxBench bench({0}, "max-wait=1000000", kLive);
  bench.add(1, "");
  const GstClockTime past = bench.now() - 2 * GST_SECOND;
  bench.push(0, 0, past);
  EXPECT_EQ(bench.pull(), "0:0 -");
  bench.set("max-wait", "3600000000000");
  bench.set_caps(1, small_caps());
  bench.push(1, 1, past + 33 * kMs);
  bench.push(0, 1, past + 33 * kMs);
  EXPECT_EQ(bench.pull(), "0:1 1:1");
}

TEST(MuxLive, FramesFarFromThePresentAreAbsurdAndSaid) {
  MuxBench bench({0, 1}, "max-wait=1000000", kLive);
  const GstClockTime now = bench.now();
  bench.push(1, 0, now + 3600 * GST_SECOND);
  bench.push(0, 0, now - GST_SECOND);
  EXPECT_EQ(bench.pull(), "0:0 -");
  EXPECT_THAT(bench.warning(), HasSubstr("sink_1 sends frames whose times are more than 10 s"));
  EXPECT_EQ(bench.stats().drops(1, "absurd"), 1u);
}

TEST(MuxLive, CaptureTimesOfAnotherEpochAreGroupedAllTheSame) {
  MuxBench bench({0, 1}, std::string(kWaitAndQueue) + "sync-mode=capture-time", kLive);
  CapsPtr ntp(gst_caps_from_string("timestamp/x-ntp"));
  constexpr GstClockTime kEpoch = 3'900'000'000u * GST_SECOND;
  for (guint number : {0u, 1u, 2u}) {
    for (guint pad : {1u, 0u}) {
      BufferPtr frame = bench.frame(pad, number, bench.now() + pad * GST_SECOND);
      gst_buffer_add_reference_timestamp_meta(
          frame.get(), ntp.get(), kEpoch + number * 33 * kMs + pad, GST_CLOCK_TIME_NONE);
      bench.push(pad, std::move(frame));
    }
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(2, number));
    EXPECT_EQ(meta_of(batch)->skew, 1u);
    EXPECT_EQ(meta_of(batch)->frames[0].capture_time, kEpoch + number * 33 * kMs);
  }
}

TEST(MuxLive, ArrivalWaitsForWhatIsNewestOfEach) {
  MuxBench bench({0, 1}, std::string(kWaitAndQueue) + "sync-mode=arrival", kLive);
  // Times are not looked at.
  bench.push(0, 0, 0);
  bench.push(0, 1, 3600 * GST_SECOND);
  bench.push(1, 0, 0);
  EXPECT_EQ(bench.pull(), "0:1 1:0");
}

}  // namespace
}  // namespace lockstep
