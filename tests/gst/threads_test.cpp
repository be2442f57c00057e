// SPDX-License-Identifier: MIT
// The elements asked, changed and read by several threads at once. What these tests find, they find
// with a sanitizer above all.
#include <gst/gst.h>
#include <gst/lockstep/gstlockstepbatchmeta.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "gstlockstephandles.h"
#include "harness.h"

namespace lockstep {
namespace {

constexpr GstClockTime kPatience = 60 * GST_SECOND;

ElementPtr parse(const std::string& line) {
  GError* error = nullptr;
  ElementPtr pipeline(gst_parse_launch(line.c_str(), &error));
  EXPECT_EQ(error, nullptr) << error->message;
  return pipeline;
}

ElementPtr child(const ElementPtr& pipeline, const char* name) {
  return ElementPtr(gst_bin_get_by_name(GST_BIN(pipeline.get()), name));
}

// Runs the pipeline to its end; what ended it.
GstMessageType play(const ElementPtr& pipeline) {
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline.get());
  GstMessage* message = gst_bus_timed_pop_filtered(
      bus, kPatience, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  gst_object_unref(bus);
  const GstMessageType type = message ? GST_MESSAGE_TYPE(message) : GST_MESSAGE_UNKNOWN;
  if (message) gst_message_unref(message);
  return type;
}

// What an application asks of a source or a mux, and changes, while it runs.
void ask(GstElement* source, guint64 max_wait) {
  GstStructure* stats = nullptr;
  g_object_get(source, "stats", &stats, nullptr);
  EXPECT_NE(StructurePtr(stats), nullptr);
  g_object_set(source, "max-wait", max_wait, nullptr);
  guint64 kept = 0;
  g_object_get(source, "max-wait", &kept, nullptr);
  EXPECT_EQ(kept, max_wait);
  QueryPtr latency(gst_query_new_latency());
  gst_element_query(source, latency.get());
  GstPad* pad = gst_element_get_static_pad(source, "src");
  EXPECT_NE(CapsPtr(gst_pad_query_caps(pad, nullptr)), nullptr);
  gst_object_unref(pad);
}

void ask_while_playing(const std::string& sensor) {
  ElementPtr pipeline =
      parse("lockstepsrc name=src num-buffers=12 num-sensors=2 sensors=" + sensor +
            " ! video/x-raw(ANY),format=NV12,width=160,height=96,framerate=60/1 "
            "! fakesink sync=false");
  ElementPtr source = child(pipeline, "src");
  std::atomic<bool> over{false};
  std::thread asker([&] {
    for (guint64 wait = 1'000'000; !over; wait = wait == 1'000'000 ? 2'000'000 : 1'000'000)
      ask(source.get(), wait);
  });
  for (int cycle = 0; cycle < 3; ++cycle) {
    EXPECT_EQ(play(pipeline), GST_MESSAGE_EOS);
    gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  }
  over = true;
  asker.join();
}

TEST(Threads, ASourceIsAskedWhileItsSensorsRun) { ask_while_playing("sim?render=stamp"); }

TEST(Threads, ASourceIsAskedWhileItRunsOnVirtualTime) {
  ask_while_playing("sim?realtime=false&render=stamp");
}

// Reads every byte, as a slow consumer would: by then the source has drawn some batches more. What
// comes before the pause takes locks that the source takes too, and would hide a race.
GstPadProbeReturn read_bytes(GstPad*, GstPadProbeInfo* info, gpointer data) {
  GstMapInfo map;
  GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  EXPECT_TRUE(gst_buffer_map(buffer, &map, GST_MAP_READ));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  guint64 sum = 0;
  for (gsize i = 0; i < map.size; ++i) sum += map.data[i];
  gst_buffer_unmap(buffer, &map);
  *static_cast<std::atomic<guint64>*>(data) += sum;
  return GST_PAD_PROBE_OK;
}

// Several threads hold a batch, its frames and its mosaic; the last that lets go gives the slots back
// to be drawn into anew.
TEST(Threads, ABatchIsReadInManyBranches) {
  ElementPtr pipeline = parse(
      "lockstepsrc num-buffers=30 sensors=sim?realtime=false num-sensors=3 "
      "! video/x-raw(ANY),format=NV12,width=160,height=96,framerate=30/1 ! tee name=t "
      "t. ! queue ! locksteptiler name=tiler ! fakesink name=end0 sync=false "
      "t. ! queue ! fakesink name=end1 sync=false "
      "t. ! queue ! lockstepdemux name=d "
      "d.src_0 ! queue ! fakesink name=end2 sync=false "
      "d.src_1 ! queue ! fakesink name=end3 sync=false "
      "d.src_2 ! queue ! fakesink name=end4 sync=false");
  std::atomic<guint64> sum{0};
  for (int i = 0; i < 5; ++i) {
    ElementPtr end = child(pipeline, ("end" + std::to_string(i)).c_str());
    GstPad* pad = gst_element_get_static_pad(end.get(), "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, read_bytes, &sum, nullptr);
    gst_object_unref(pad);
  }
  EXPECT_EQ(play(pipeline), GST_MESSAGE_EOS);
  EXPECT_GT(sum, 0u);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

TEST(Threads, AMosaicIsChangedWhileItIsDrawn) {
  ElementPtr pipeline = parse(
      "lockstepsrc num-buffers=120 sensors=sim?realtime=false&render=stamp num-sensors=4 "
      "! video/x-raw(ANY),format=NV12,width=160,height=96,framerate=30/1 "
      "! locksteptiler name=tiler ! fakesink sync=false");
  ElementPtr tiler = child(pipeline, "tiler");
  std::atomic<bool> over{false};
  std::thread changer([&] {
    for (guint rows = 1; !over; rows = rows % 4 + 1)
      g_object_set(tiler.get(), "rows", rows, "columns", 4u, "width", 320 * rows, nullptr);
  });
  EXPECT_EQ(play(pipeline), GST_MESSAGE_EOS);
  over = true;
  changer.join();
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

// Each source brings its frames in a thread of its own.
TEST(Threads, AMuxIsFedByManySources) {
  ElementPtr pipeline = parse(
      "lockstepmux name=mux layout=contiguous ! queue ! fakesink name=end sync=false "
      "videotestsrc num-buffers=40 ! video/x-raw,format=NV12,width=160,height=96 ! mux. "
      "videotestsrc num-buffers=40 ! video/x-raw,format=NV12,width=160,height=96 ! queue ! mux. "
      "videotestsrc num-buffers=40 ! video/x-raw,format=NV12,width=160,height=96 ! queue ! mux.");
  ElementPtr mux = child(pipeline, "mux");
  ElementPtr end = child(pipeline, "end");
  std::atomic<guint64> sum{0};
  GstPad* pad = gst_element_get_static_pad(end.get(), "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, read_bytes, &sum, nullptr);
  gst_object_unref(pad);
  std::atomic<bool> over{false};
  std::thread asker([&] {
    for (guint64 wait = 1; !over; wait = wait % 3 + 1) ask(mux.get(), wait * GST_SECOND);
  });
  EXPECT_EQ(play(pipeline), GST_MESSAGE_EOS);
  over = true;
  asker.join();
  EXPECT_GT(sum, 0u);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
}

}  // namespace
}  // namespace lockstep
