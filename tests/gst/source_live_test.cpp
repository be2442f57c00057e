// SPDX-License-Identifier: MIT
// lockstepsrc in time: running time through pauses, latency, and what becomes of batches that nobody takes.
#include <gst/gst.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lockstep/time.h"
#include "pipeline.h"

namespace lockstep {
namespace {

TEST(LiveSource, LivePtsIsTheCaptureTimeOnThePipelinesClock) {
  std::vector<std::pair<GstClockTime, GstClockTime>> times;
  Pipeline pipeline(
      std::string("lockstepsrc name=src num-buffers=5 sensors=sim?render=stamp") + kSmall,
      [&](GstBuffer* buffer) {
        auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
        times.emplace_back(GST_BUFFER_PTS(buffer), meta->frames[0].capture_time);
      });
  ASSERT_TRUE(pipeline.play_to_end());
  const GstClockTime base_time = gst_element_get_base_time(pipeline.get());
  for (const auto& [pts, captured] : times)
    EXPECT_EQ(pts + base_time, captured);  // both on CLOCK_MONOTONIC
}

TEST(LiveSource, TellsItsLatency) {
  Pipeline pipeline(
      std::string("lockstepsrc name=src sensors=sim?render=stamp max-wait=5000000 max-batches=3") +
      kSmall);
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(1));
  GstQuery* query = gst_query_new_latency();
  ASSERT_TRUE(gst_element_query(pipeline.source(), query));
  gboolean live = FALSE;
  GstClockTime min = 0;
  GstClockTime max = 0;
  gst_query_parse_latency(query, &live, &min, &max);
  gst_query_unref(query);
  const GstClockTime period = GST_SECOND / 30;
  EXPECT_TRUE(live);
  EXPECT_EQ(min, period + 5 * GST_MSECOND);
  EXPECT_EQ(max, min + 3 * period);
}

TEST(LiveSource, ShowsNothingFromAPause) {
  std::vector<std::pair<GstClockTime, GstClockTime>> shown;   // PTS, capture time
  std::vector<std::pair<GstClockTime, GstClockTime>> pauses;  // begin, end
  // Long exposures: when the pause ends, one has nearly always begun.
  Pipeline pipeline(
      "lockstepsrc name=src sensors=sim?render=stamp&exposure-us=30000" + std::string(kSmall),
      [&](GstBuffer* buffer) {
        const auto* meta = gst_buffer_get_lockstep_batch_meta(buffer);
        shown.emplace_back(GST_BUFFER_PTS(buffer), meta->frames[0].capture_time);
      });
  for (int cycle = 0; cycle < 4; ++cycle) {
    pipeline.set_state(GST_STATE_PLAYING);
    const int wanted = pipeline.num_buffers + 3;
    ASSERT_TRUE(pipeline.wait_for_buffers(wanted));
    pipeline.set_state(GST_STATE_PAUSED);
    const auto begin = static_cast<GstClockTime>(monotonic_now().count());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    pauses.emplace_back(begin, monotonic_now().count());
  }
  pipeline.set_state(GST_STATE_NULL);
  for (std::size_t i = 1; i < shown.size(); ++i) EXPECT_GT(shown[i].first, shown[i - 1].first);
  for (const auto& [begin, end] : pauses)
    for (const auto& [pts, captured] : shown) EXPECT_TRUE(captured <= begin || captured >= end);
}

TEST(LiveSource, PtsRiseThroughPauses) {
  std::vector<GstClockTime> shown;
  Pipeline pipeline("lockstepsrc name=src sensors=sim?render=stamp num-sensors=4" +
                        std::string(kSmall) + " ! queue",
                    [&](GstBuffer* buffer) { shown.push_back(GST_BUFFER_PTS(buffer)); });
  pipeline.set_state(GST_STATE_PLAYING);
  std::mt19937 random(1);
  for (int i = 0; i < 80; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 50'000));
    pipeline.set_state(i % 2 ? GST_STATE_PLAYING : GST_STATE_PAUSED);
    if (random() % 3 == 0) gst_element_get_state(pipeline.get(), nullptr, nullptr, GST_SECOND);
  }
  EXPECT_TRUE(pipeline.wait_for_buffers(pipeline.num_buffers + 3));
  pipeline.set_state(GST_STATE_NULL);
  for (std::size_t i = 1; i < shown.size(); ++i) EXPECT_GT(shown[i], shown[i - 1]) << i;
}

TEST(LiveSource, RunningTimeMayBeginAnew) {
  std::vector<GstClockTime> shown;
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall,
                    [&](GstBuffer* buffer) { shown.push_back(GST_BUFFER_PTS(buffer)); });
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(5));
  pipeline.set_state(GST_STATE_PAUSED);
  gst_element_get_state(pipeline.get(), nullptr, nullptr, GST_SECOND);
  gst_element_set_start_time(pipeline.get(), 0);
  const auto before = static_cast<std::size_t>(pipeline.num_buffers);
  const GstClockTime last = shown.back();
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(static_cast<int>(before) + 2));
  pipeline.set_state(GST_STATE_NULL);
  EXPECT_LT(shown[before], last);
}

// Batches that a newer one replaced; those of the start are dropped for other reasons.
guint64 num_downstream_full(const Pipeline& pipeline) {
  StructurePtr stats = pipeline.stats();
  const GValue* sensors = gst_structure_get_value(stats.get(), "sensors");
  const GstStructure* sensor = gst_value_get_structure(gst_value_array_get_value(sensors, 0));
  GstStructure* reasons = nullptr;
  gst_structure_get(sensor, "drops-by-reason", GST_TYPE_STRUCTURE, &reasons, nullptr);
  StructurePtr owner(reasons);
  guint64 full = 0;
  EXPECT_TRUE(gst_structure_get_uint64(reasons, "downstream-full", &full));
  return full;
}

class SlowConsumer {
 public:
  explicit SlowConsumer(const std::string& properties)
      : pipeline_(
            "lockstepsrc name=src sensors=sim?render=stamp num-sensors=2 " + properties + kSmall,
            [this](GstBuffer* buffer) { see(buffer); }) {
    pipeline_.set_state(GST_STATE_PLAYING);
    EXPECT_TRUE(pipeline_.wait_for_buffers(2));
    pipeline_.set_state(GST_STATE_NULL);
  }

  Pipeline& pipeline() { return pipeline_; }
  guint64 sequence(std::size_t batch) const { return sequences_.at(batch); }
  guint64 num_dropped_before_second() const { return num_dropped_; }

 private:
  void see(GstBuffer* buffer) {
    sequences_.push_back(gst_buffer_get_lockstep_batch_meta(buffer)->frames[0].sequence);
    if (sequences_.size() != 1) return;
    for (int tries = 0; tries < 1000 && num_dropped_ < 10; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      num_dropped_ = num_downstream_full(pipeline_);
    }
  }

  std::vector<guint64> sequences_;
  guint64 num_dropped_ = 0;
  Pipeline pipeline_;
};

TEST(LiveSource, LeakyDownstreamPassesOnTheNewestAndCountsTheOthers) {
  for (const char* properties : {"leaky=downstream", "leaky=downstream max-batches=1"}) {
    SlowConsumer consumer(properties);
    const guint64 dropped = consumer.num_dropped_before_second();
    EXPECT_GE(dropped, 10u);
    EXPECT_GT(consumer.sequence(1), consumer.sequence(0) + dropped) << properties;
    StructurePtr stats = consumer.pipeline().stats();
    EXPECT_GE(num_downstream_full(consumer.pipeline()), dropped);
    guint64 batches = 0;
    EXPECT_TRUE(gst_structure_get_uint64(stats.get(), "batches", &batches));
    // Those that were passed on, and at most one that waited at the end.
    EXPECT_LE(batches, static_cast<guint64>(consumer.pipeline().num_buffers) + 1);
  }
}

TEST(LiveSource, LeakyDownstreamGoesThroughPausesAndStates) {
  std::vector<GstClockTime> shown;
  Pipeline pipeline(
      "lockstepsrc name=src sensors=sim?render=stamp leaky=downstream" + std::string(kSmall),
      [&](GstBuffer* buffer) { shown.push_back(GST_BUFFER_PTS(buffer)); });
  for (const GstState state : {GST_STATE_READY, GST_STATE_NULL}) {
    shown.clear();
    for (int cycle = 0; cycle < 3; ++cycle) {
      pipeline.set_state(GST_STATE_PLAYING);
      ASSERT_TRUE(pipeline.wait_for_buffers(pipeline.num_buffers + 3));
      pipeline.set_state(GST_STATE_PAUSED);
    }
    ASSERT_EQ(pipeline.set_state(state), GST_STATE_CHANGE_SUCCESS);
    for (std::size_t i = 1; i < shown.size(); ++i) EXPECT_GT(shown[i], shown[i - 1]);
  }
}

TEST(LiveSource, LeakyDownstreamLosesNothingInVirtualTime) {
  std::vector<guint64> sequences;
  Pipeline pipeline(
      virtual_source("&render=stamp", 2, 20, "leaky=downstream") + kSmall, [&](GstBuffer* buffer) {
        sequences.push_back(gst_buffer_get_lockstep_batch_meta(buffer)->frames[0].sequence);
      });
  ASSERT_TRUE(pipeline.play_to_end());
  ASSERT_EQ(sequences.size(), 20u);
  for (guint64 i = 0; i < 20; ++i) EXPECT_EQ(sequences[i], i);
}

TEST(LiveSource, GoesOnAfterAFlush) {
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall);
  pipeline.set_state(GST_STATE_PLAYING);
  ASSERT_TRUE(pipeline.wait_for_buffers(2));
  gst_element_send_event(pipeline.source(), gst_event_new_flush_start());
  gst_element_send_event(pipeline.source(), gst_event_new_flush_stop(FALSE));
  const int before = pipeline.num_buffers;
  EXPECT_TRUE(pipeline.wait_for_buffers(before + 3));
}

TEST(LiveSource, CyclesThroughItsStates) {
  Pipeline pipeline(std::string("lockstepsrc name=src sensors=sim?render=stamp") + kSmall);
  for (int cycle = 0; cycle < 4; ++cycle) {
    pipeline.set_state(GST_STATE_PLAYING);
    const int wanted = pipeline.num_buffers + 2;
    ASSERT_TRUE(pipeline.wait_for_buffers(wanted));
    ASSERT_EQ(pipeline.set_state(cycle % 2 ? GST_STATE_NULL : GST_STATE_READY),
              GST_STATE_CHANGE_SUCCESS);
  }
}

}  // namespace
}  // namespace lockstep
