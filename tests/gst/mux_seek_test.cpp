// SPDX-License-Identifier: MIT
// lockstepmux: seeks, and flushes that not every pad takes part in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "mux_bench.h"
#include "mux_pipeline.h"

namespace lockstep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kFlushAndAccurate =
    static_cast<GstSeekFlags>(int{GST_SEEK_FLAG_FLUSH} | int{GST_SEEK_FLAG_ACCURATE});

GstEvent* seek_to(GstClockTime start, GstSeekFlags flags = kFlushAndAccurate, double rate = 1.0) {
  return gst_event_new_seek(rate, GST_FORMAT_TIME, flags, GST_SEEK_TYPE_SET,
                            static_cast<gint64>(start), GST_SEEK_TYPE_NONE, -1);
}

GstSegment sought(GstClockTime start, double rate = 1.0, GstClockTime stop = GST_CLOCK_TIME_NONE) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.rate = rate;
  segment.start = segment.time = start;
  segment.stop = stop;
  return segment;
}

bool seek(MuxBench& bench, GstEvent* event) {
  return gst_harness_push_upstream_event(bench.out(), event) != FALSE;
}

// What is upstream of pads: flushes at a seek, and begins again.
class Upstreams {
 public:
  Upstreams(MuxBench& bench, const std::vector<guint>& pads) : bench_(bench) {
    for (guint pad : pads) {
      GstPad* src = bench.pad(pad)->srcpad;
      g_object_set_data(G_OBJECT(src), "upstreams", this);
      g_object_set_data(G_OBJECT(src), "pad", GUINT_TO_POINTER(pad));
      gst_pad_set_event_function(src, take);
    }
  }

  GstSegment segment = sought(0);
  std::map<guint, GstSegment> own_segments;            // Of pads where it is another.
  std::function<void(guint)> on_begin = [](guint) {};  // A pad is where it has begun again.

 private:
  static gboolean take(GstPad* src, GstObject*, GstEvent* event) {
    auto* self = static_cast<Upstreams*>(g_object_get_data(G_OBJECT(src), "upstreams"));
    const guint pad = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(src), "pad"));
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK) self->begin_again(pad, event);
    gst_event_unref(event);
    return TRUE;
  }

  void begin_again(guint pad, GstEvent* seek) {
    for (GstEvent* event : {gst_event_new_flush_start(), gst_event_new_flush_stop(TRUE)}) {
      gst_event_set_seqnum(event, gst_event_get_seqnum(seek));
      EXPECT_TRUE(bench_.send(pad, event)) << pad;
    }
    const auto own = own_segments.find(pad);
    bench_.set_segment(pad, own == own_segments.end() ? segment : own->second);
    on_begin(pad);
  }

  MuxBench& bench_;
};

gboolean answer_unseekable(GstPad* pad, GstObject* parent, GstQuery* query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_SEEKING) return gst_pad_query_default(pad, parent, query);
  gst_query_set_seeking(query, GST_FORMAT_TIME, FALSE, 0, -1);
  return TRUE;
}

gboolean refuse_event(GstPad*, GstObject*, GstEvent* event) {
  gst_event_unref(event);
  return FALSE;
}

void make_unseekable(const MuxBench& bench, guint pad) {
  gst_pad_set_query_function(bench.pad(pad)->srcpad, answer_unseekable);
  gst_pad_set_event_function(bench.pad(pad)->srcpad, refuse_event);
}

// Has the muxer in the middle of a push when a flush begins, so that the push ends with FLUSHING.
class PushUntilFlush {
 public:
  explicit PushUntilFlush(const MuxBench& bench)
      : src_(gst_element_get_static_pad(bench.element(), "src")) {
    gst_pad_add_probe(src_, GST_PAD_PROBE_TYPE_BUFFER, hold, this, nullptr);
  }
  ~PushUntilFlush() { gst_object_unref(src_); }
  PushUntilFlush(const PushUntilFlush&) = delete;
  PushUntilFlush& operator=(const PushUntilFlush&) = delete;

  void wait_until_begun() { begun_.get_future().wait(); }

 private:
  static GstPadProbeReturn hold(GstPad* pad, GstPadProbeInfo*, gpointer self) {
    static_cast<PushUntilFlush*>(self)->begun_.set_value();
    while (!GST_PAD_IS_FLUSHING(GST_PAD_PEER(pad))) std::this_thread::yield();
    return GST_PAD_PROBE_REMOVE;
  }

  GstPad* src_;
  std::promise<void> begun_;
};

// Pads push as soon as they have begun again, while the others have still to flush.
void expect_pushes_to_go_through(MuxBench& bench) {
  Upstreams upstreams(bench, {0, 1, 2});
  std::vector<std::future<GstFlowReturn>> pushes;
  upstreams.on_begin = [&](guint pad) {
    pushes.push_back(bench.push_later(pad, 5, at(5)));
    // Long enough to be answered, were it to be answered now.
    pushes.back().wait_for(std::chrono::milliseconds(20));
  };
  ASSERT_TRUE(seek(bench, seek_to(0)));
  ASSERT_EQ(pushes.size(), 3u);
  for (auto& push : pushes) EXPECT_EQ(push.get(), GST_FLOW_OK);
  EXPECT_EQ(bench.pull(), text_of_all(3, 5));
  bench.push_all({0, 1, 2}, 6);
  EXPECT_EQ(bench.pull(), text_of_all(3, 6));
}

TEST(MuxSeek, PadsThatBeginAgainWaitForThoseThatStillFlush) {
  MuxBench bench({0, 1, 2}, kWaitForEver);
  PushUntilFlush push(bench);
  bench.push_all({0, 1, 2}, 0);
  push.wait_until_begun();
  expect_pushes_to_go_through(bench);
}

TEST(MuxSeek, UndoesTheEndDownstreamForAllPads) {
  MuxBench bench({0, 1, 2}, kWaitForEver);
  GstPad* src = gst_element_get_static_pad(bench.element(), "src");
  const GstPadProbeCallback end = [](GstPad*, GstPadProbeInfo* info, gpointer) {
    gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
    GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_EOS;
    return GST_PAD_PROBE_HANDLED;
  };
  const gulong probe = gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, end, nullptr, nullptr);
  for (guint number = 0; bench.push(0, number, at(number)) == GST_FLOW_OK; ++number)
    for (guint pad : {1u, 2u}) bench.push(pad, number, at(number));
  gst_pad_remove_probe(src, probe);
  gst_object_unref(src);
  expect_pushes_to_go_through(bench);
}

TEST(MuxSeek, PadsThatCannotSeekKeepTheirStream) {
  MuxBench bench({0, 1}, kWaitForEver);
  Upstreams upstreams(bench, {0});
  make_unseekable(bench, 1);
  std::future<GstFlowReturn> other;
  upstreams.segment = sought(3 * GST_SECOND);
  upstreams.on_begin = [&](guint) { other = bench.push_later(1, 0, at(0)); };
  ASSERT_TRUE(seek(bench, seek_to(3 * GST_SECOND)));
  bench.push(0, 0, 3 * GST_SECOND);
  EXPECT_EQ(other.get(), GST_FLOW_OK);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
}

TEST(MuxSeek, EndedPadsThatCannotSeekStayEnded) {
  MuxBench bench({0, 1}, kWaitForEver);
  const Upstreams upstreams(bench, {0});
  make_unseekable(bench, 1);
  bench.push_all({0}, 0);
  bench.end({1});
  EXPECT_EQ(bench.pull(), "0:0 -");
  ASSERT_TRUE(seek(bench, seek_to(0)));
  bench.push_all({0}, 0);
  bench.end({0});
  EXPECT_THAT(bench.pull_rest(), ElementsAre("0:0 -"));
}

TEST(MuxSeek, PadsThatNothingIsLinkedToHoldNothingUp) {
  MuxBench bench({0}, "max-wait=0");
  const Upstreams upstreams(bench, {0});
  GstPad* unlinked = gst_element_request_pad_simple(bench.element(), "sink_%u");
  ASSERT_TRUE(seek(bench, seek_to(0)));
  bench.push_all({0}, 0);
  EXPECT_EQ(bench.pull(), "0:0 -");
  gst_object_unref(unlinked);
}

TEST(MuxSeek, SentTwiceBySinksBehindATeeIsOne) {
  MuxBench bench({0, 1}, kWaitForEver);
  Upstreams upstreams(bench, {0, 1});
  int num_begun = 0;
  upstreams.on_begin = [&](guint) { ++num_begun; };
  GstEvent* event = seek_to(0);
  ASSERT_TRUE(seek(bench, gst_event_ref(event)));
  ASSERT_TRUE(seek(bench, event));
  EXPECT_EQ(num_begun, 2);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
}

TEST(MuxSeek, ThatASourceRefusesLeavesTheStreamAsItIs) {
  MuxBench bench({0, 1}, kWaitForEver);
  for (guint pad : {0u, 1u}) gst_pad_set_event_function(bench.pad(pad)->srcpad, refuse_event);
  bench.push_all({0, 1}, 0);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_FALSE(seek(bench, seek_to(0, kFlushAndAccurate, -1.0)));
  EXPECT_THAT(bench.warning(), HasSubstr("seek at rate -1: the source of a pad refuses it"));
  bench.push_all({0, 1}, 1);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:1 1:1");
  EXPECT_EQ(GST_BUFFER_PTS(batch.get()), at(1));
}

TEST(MuxSeek, WhereNothingCanSeekIsRefused) {
  MuxBench bench({0}, kWaitForEver);
  make_unseekable(bench, 0);
  EXPECT_FALSE(seek(bench, seek_to(0, kFlushAndAccurate, 2.0)));
  EXPECT_THAT(bench.warning(), HasSubstr("no pad has a source that can seek"));
  bench.push_all({0}, 0);
  EXPECT_EQ(bench.pull(), "0:0");
}

TEST(MuxSeek, WithoutAFlushIsRefused) {
  MuxBench bench({0, 1}, kWaitForEver);
  Upstreams upstreams(bench, {0, 1});
  upstreams.on_begin = [](guint) { ADD_FAILURE(); };
  EXPECT_FALSE(seek(bench, seek_to(0, GST_SEEK_FLAG_ACCURATE)));
  EXPECT_THAT(bench.warning(), HasSubstr("without GST_SEEK_FLAG_FLUSH"));
}

TEST(MuxSeek, InBytesIsRefused) {
  MuxBench bench({0}, kWaitForEver);
  EXPECT_FALSE(seek(bench, gst_event_new_seek(1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH,
                                              GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_NONE, -1)));
  EXPECT_THAT(bench.warning(), HasSubstr("in bytes"));
}

class MuxSeekRate : public testing::TestWithParam<double> {};

TEST_P(MuxSeekRate, GivesPtsOfWhatWasSought) {
  const double rate = GetParam();
  MuxBench bench({0, 1}, kWaitForEver);
  Upstreams upstreams(bench, {0, 1});
  // A demuxer goes to the key frame before, and says so.
  upstreams.segment = sought(2 * GST_SECOND, rate, rate < 0 ? 4 * GST_SECOND : GST_CLOCK_TIME_NONE);
  ASSERT_TRUE(seek(bench, seek_to(3 * GST_SECOND, kFlushAndAccurate, rate)));
  for (guint number = 0; number < 12; ++number) {
    const GstClockTime step = (number + 1) * GST_SECOND / 25;
    const GstClockTime pts = rate > 0 ? 2 * GST_SECOND + step : 4 * GST_SECOND - step;
    for (guint pad : {1u, 0u}) bench.push(pad, number, pts);
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(2, number));
    EXPECT_EQ(GST_BUFFER_PTS(batch.get()), pts);
    for (guint slot : {0u, 1u}) EXPECT_EQ(GST_BUFFER_PTS(meta_of(batch)->frames[slot].buffer), pts);
  }
  const EventPtr segment = bench.event(GST_EVENT_SEGMENT);
  ASSERT_TRUE(segment);
  const GstSegment* out = nullptr;
  gst_event_parse_segment(segment.get(), &out);
  EXPECT_EQ(out->rate, rate);
  EXPECT_EQ(gst_segment_to_running_time(out, GST_FORMAT_TIME, rate > 0 ? out->start : out->stop),
            0u);
  EXPECT_EQ(gst_segment_to_stream_time(out, GST_FORMAT_TIME, 3 * GST_SECOND), 3 * GST_SECOND);
}

INSTANTIATE_TEST_SUITE_P(Rates, MuxSeekRate, testing::Values(1.0, 0.5, 2.0, 4.0, -1.0, -2.0));

// In running time frames come four times as fast.
TEST(MuxSeek, AtARateGroupsByItsFramePeriod) {
  MuxBench bench({0, 1}, kWaitForEver);
  Upstreams upstreams(bench, {0, 1});
  upstreams.segment = sought(0, 4.0);
  ASSERT_TRUE(seek(bench, seek_to(0, kFlushAndAccurate, 4.0)));
  bench.push_all({0}, 0);
  bench.push_all({1}, 1);
  bench.push_all({0}, 1);
  EXPECT_EQ(bench.pull(), "0:0 -");
  EXPECT_EQ(bench.pull(), "0:1 1:1");
}

TEST(MuxSeek, AnotherPadMayGoFurtherThanTheFirst) {
  MuxBench bench({0, 1}, kWaitForEver);
  Upstreams upstreams(bench, {0, 1});
  upstreams.own_segments = {{0, sought(0, 1.0, at(1))}, {1, sought(0, 1.0, at(9))}};
  ASSERT_TRUE(seek(bench, seek_to(0)));
  bench.push_all({0, 1}, 0);
  bench.end({0});
  bench.push_all({1}, 5);
  EXPECT_EQ(bench.pull(), "0:0 1:0");
  EXPECT_EQ(bench.pull(), "- 1:5");
  const EventPtr segment = bench.event(GST_EVENT_SEGMENT);
  ASSERT_TRUE(segment);
  const GstSegment* out = nullptr;
  gst_event_parse_segment(segment.get(), &out);
  EXPECT_EQ(out->stop, GST_CLOCK_TIME_NONE);
}

// --- Pipelines ---

std::string sources(int num_pads, int num_frames, const std::string& queue = "queue ! ") {
  std::string line;
  for (int i = 0; i < num_pads; ++i)
    line += " videotestsrc num-buffers=" + std::to_string(num_frames) +
            " ! video/x-raw,format=I420,width=32,height=32,framerate=30/1 ! " + queue + "mux.";
  return line;
}

// Pauses the pipeline, seeks, plays to the end.
class Sought {
 public:
  Sought(const std::string& line, double rate, GstClockTime start, GstClockTime stop)
      : pipeline_(line) {
    const ElementPtr sink = pipeline_.element("sink");
    g_signal_connect(sink.get(), "handoff", G_CALLBACK(note), this);
    EXPECT_EQ(preroll(), GST_STATE_CHANGE_SUCCESS);
    shown.clear();
    EXPECT_TRUE(gst_element_seek(pipeline_.get(), rate, GST_FORMAT_TIME, kFlushAndAccurate,
                                 GST_SEEK_TYPE_SET, static_cast<gint64>(start), GST_SEEK_TYPE_SET,
                                 static_cast<gint64>(stop)));
    EXPECT_EQ(preroll(), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(pipeline_.run(), "EOS");
  }

  std::vector<GstClockTime> shown;  // PTS of what the sink found in its segment.

 private:
  GstStateChangeReturn preroll() {
    gst_element_set_state(pipeline_.get(), GST_STATE_PAUSED);
    return gst_element_get_state(pipeline_.get(), nullptr, nullptr, 20 * GST_SECOND);
  }
  static void note(GstElement*, GstBuffer* buffer, GstPad*, gpointer self) {
    static_cast<Sought*>(self)->shown.push_back(GST_BUFFER_PTS(buffer));
  }

  MuxPipeline pipeline_;
};

TEST(MuxSeekInPipeline, OfManyPadsNeverHangs) {
  const std::string mux =
      "lockstepmux name=mux ! fakesink name=sink sync=false signal-handoffs=true";
  for (const char* queue : {"queue ! ", ""})
    for (int round = 0; round < 10; ++round) {
      const Sought sought(mux + sources(4, 1000, queue), 1.0, 0, GST_SECOND);
      EXPECT_EQ(sought.shown.size(), 30u);
    }
}

class MuxSeekInPipelineAt : public testing::TestWithParam<double> {};

TEST_P(MuxSeekInPipelineAt, ShowsEveryFrameAtItsPts) {
  const double rate = GetParam();
  const Sought sought(
      "lockstepmux name=mux ! lockstepdemux name=d d. ! queue ! fakesink name=sink sync=false "
      "signal-handoffs=true d. ! queue ! fakesink sync=false" +
          sources(2, 1000),
      rate, 3 * GST_SECOND, 5 * GST_SECOND);
  ASSERT_EQ(sought.shown.size(), 60u);
  for (guint i = 0; i < 60; ++i) {
    const guint number = 90 + (rate > 0 ? i : 59 - i);
    EXPECT_NEAR(static_cast<double>(sought.shown[i]), static_cast<double>(at(number)), 10) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Rates, MuxSeekInPipelineAt, testing::Values(1.0, 0.5, 2.0, -1.0));

// Most that frames of one batch are apart.
GstClockTime spread_of(const MuxedBatch& batch) {
  GstClockTime least = GST_CLOCK_TIME_NONE;
  GstClockTime most = 0;
  for (const auto& slot : batch.slots) {
    if (slot.state == GST_LOCKSTEP_FRAME_MISSING) continue;
    least = std::min(least, slot.pts);
    most = std::max(most, slot.pts);
  }
  return most - least;
}

TEST(MuxSeekInPipeline, AgainAndAgainWhilePlayingAndPausingGoesOn) {
  std::atomic<int> num_batches{0};
  std::atomic<int> num_wrong{0};
  MuxPipeline pipeline("lockstepmux name=mux ! queue ! fakesink sync=false" + sources(3, 100000));
  pipeline.watch("mux.src", [&](GstPad*, GstBuffer* batch) {
    ++num_batches;
    if (spread_of(look_at(batch)) > GST_SECOND / 60) ++num_wrong;
    return GST_PAD_PROBE_OK;
  });
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  std::mt19937 random(7);
  for (int i = 0; i < 60; ++i) {
    const GstClockTime to = random() % 60 * GST_SECOND;
    ASSERT_TRUE(gst_element_seek_simple(pipeline.get(), GST_FORMAT_TIME, kFlushAndAccurate,
                                        static_cast<gint64>(to)));
    if (random() % 3 == 0) {
      gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
      gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 10));
    const auto state = gst_element_get_state(pipeline.get(), nullptr, nullptr, 20 * GST_SECOND);
    ASSERT_EQ(state, GST_STATE_CHANGE_SUCCESS) << "after seek " << i;
    const int before = num_batches;
    for (int waited = 0; num_batches == before && waited < 20'000; ++waited)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_GT(num_batches, before) << "after seek " << i;
  }
  EXPECT_EQ(num_wrong, 0);
}

}  // namespace
}  // namespace lockstep
