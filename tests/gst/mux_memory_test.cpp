// SPDX-License-Identifier: MIT
// lockstepmux: where the pixels of a batch lie, who copied them, and what stays on its frames.
#include <gmock/gmock.h>
#include <gst/allocators/gstdmabuf.h>
#include <gst/allocators/gstfdmemory.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mux_bench.h"

namespace lockstep {
namespace {

using testing::HasSubstr;

const std::string kContiguous = std::string(kWaitForEver) + "layout=contiguous";

// Pushes each pad's frame of that number, written into what the element offers.
void push_offered(MuxBench& bench, const std::vector<guint>& pads, guint number) {
  for (guint pad : pads)
    EXPECT_EQ(bench.push(pad, bench.offered_frame(pad, number, at(number))), GST_FLOW_OK);
}

// Where a buffer's bytes are.
const guint8* bytes_of(GstBuffer* buffer) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return nullptr;
  const guint8* bytes = map.data;  // GStreamer 1.28 clears it in unmapping.
  gst_buffer_unmap(buffer, &map);
  return bytes;
}

TEST(MuxMemory, FramesWrittenIntoTheSlotsAreTheBatch) {
  MuxBench bench({0, 1, 2}, kWaitForEver);
  for (guint number = 0; number < 4; ++number) {
    push_offered(bench, {2, 0, 1}, number);
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(3, number));
    EXPECT_EQ(text_of_block(batch.get()), text_of_all(3, number));
    const GstLockstepBatchMeta* meta = meta_of(batch);
    ASSERT_TRUE(meta->contiguous);
    ASSERT_EQ(gst_buffer_n_memory(batch.get()), 1u);
    const gsize stride = gst_buffer_get_size(batch.get()) / 3;
    for (guint slot = 0; slot < 3; ++slot) {
      GstLockstepFrame& frame = meta->frames[slot];
      EXPECT_EQ(frame.copies, 0u);
      // The very bytes, and in a file of their own.
      EXPECT_EQ(bytes_of(frame.buffer), bytes_of(batch.get()) + slot * stride);
      EXPECT_TRUE(gst_is_fd_memory(gst_buffer_peek_memory(frame.buffer, 0)));
      const GstVideoMeta* at = gst_buffer_get_video_meta_id(batch.get(), static_cast<gint>(slot));
      EXPECT_EQ(at->offset[0], slot * stride);
    }
  }
  const Stats stats = bench.stats();
  EXPECT_EQ(stats.of("by-reference"), 0u);
  EXPECT_EQ(stats.of("copies"), 0u);
  EXPECT_EQ(stats.text(1, "io"), "in place (the frames lie in slots of a batch)");
}

TEST(MuxMemory, LayoutReferenceOffersNoSlots) {
  MuxBench bench({0, 1}, std::string(kWaitForEver) + "layout=reference");
  EXPECT_FALSE(bench.offered_frame(0, 0, 0));
  bench.push_all({0, 1}, 0);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:0 1:0");
  EXPECT_EQ(gst_buffer_n_memory(batch.get()), 0u);
}

TEST(MuxMemory, LayoutContiguousCopiesOtherMemoryOnceAndSaysSo) {
  for (const char* format : {"NV12", "I420", "YUY2", "RGB", "RGBA", "GRAY8", "P010_10LE"}) {
    MuxBench bench({}, kContiguous);
    for (guint pad : {0u, 1u}) bench.add(pad, small_caps("30/1", format, 62, 35));
    bench.push_all({1, 0}, 3);
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), "0:3 1:3") << format;
    EXPECT_EQ(text_of_block(batch.get()), "0:3 1:3") << format;
    for (guint slot : {0u, 1u}) EXPECT_EQ(meta_of(batch)->frames[slot].copies, 1u);
    EXPECT_EQ(bench.stats().of("copies"), 2u);
    EXPECT_EQ(bench.stats().of("by-reference"), 0u);
  }
}

TEST(MuxMemory, RowsThatArePaddedArriveWhole) {
  for (const char* layout : {"auto", "contiguous"}) {
    MuxBench bench({}, kWaitForEver + std::string("layout=") + layout);
    for (guint pad : {0u, 1u}) bench.add(pad, small_caps("30/1", "NV12", 60, 34));
    for (guint pad : {0u, 1u}) {
      BufferPtr frame =
          painted_frame(small_caps("30/1", "NV12", 60, 34), {pad, 5}, pad == 0 ? 36 : 100);
      GST_BUFFER_PTS(frame.get()) = at(5);
      bench.push(pad, std::move(frame));
    }
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), "0:5 1:5") << layout;
    if (std::string(layout) == "contiguous") {
      EXPECT_EQ(text_of_block(batch.get()), "0:5 1:5");
    }
  }
}

TEST(MuxMemory, LayoutContiguousCopiesOnlyWhatIsNotInPlace) {
  MuxBench bench({0, 1}, kContiguous);
  push_offered(bench, {0}, 0);
  bench.push_all({1}, 0);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of_block(batch.get()), "0:0 1:0");
  EXPECT_EQ(meta_of(batch)->frames[0].copies, 0u);
  EXPECT_EQ(meta_of(batch)->frames[1].copies, 1u);
  EXPECT_EQ(bench.stats().of(1, "copies"), 1u);
}

TEST(MuxMemory, FormatsThatLieAlikeAreNoBlock) {
  MuxBench bench({0, 1}, kWaitForEver);
  bench.set_caps(0, small_caps("30/1", "YUY2"));
  bench.set_caps(1, small_caps("30/1", "UYVY"));
  push_offered(bench, {0, 1}, 0);
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:0 1:0");
  EXPECT_FALSE(meta_of(batch)->contiguous);
}

TEST(MuxMemory, MissingFrameLeavesItsPartOfTheBlockAlone) {
  MuxBench bench({0, 1, 2}, kContiguous);
  push_offered(bench, {0, 2}, 0);
  bench.send(1, gst_event_new_gap(0, at(1)));
  const BufferPtr batch = bench.pull_batch();
  EXPECT_EQ(text_of(batch.get()), "0:0 - 2:0");
  EXPECT_EQ(text_of_block(batch.get()), "0:0 - 2:0");
}

TEST(MuxMemory, PadsOutOfStepAreByReferenceForAWhileAndThenInPlaceAgain) {
  MuxBench bench({0, 1}, kWaitForEver);
  push_offered(bench, {0, 1}, 0);
  EXPECT_TRUE(meta_of(bench.pull_batch())->contiguous);
  // Pad 1 takes a slot and drops it.
  bench.offered_frame(1, 99, 0);
  std::vector<bool> contiguous;
  for (guint number = 1; number < 6; ++number) {
    push_offered(bench, {0, 1}, number);
    const BufferPtr batch = bench.pull_batch();
    EXPECT_EQ(text_of(batch.get()), text_of_all(2, number));
    contiguous.push_back(meta_of(batch)->contiguous);
  }
  EXPECT_FALSE(contiguous.front());
  EXPECT_TRUE(contiguous.back());
  EXPECT_EQ(bench.stats().of("copies"), 0u);
}

TEST(MuxMemory, RepeatedFrameIsTheSamePixels) {
  MuxBench bench({0, 1}, std::string(kWaitForEver) + "on-missing=repeat");
  push_offered(bench, {0, 1}, 0);
  const BufferPtr first = bench.pull_batch();
  push_offered(bench, {0}, 1);
  bench.send(1, gst_event_new_gap(at(1), at(1)));
  const BufferPtr second = bench.pull_batch();
  EXPECT_EQ(text_of(second.get()), "0:1 1:0r");
  EXPECT_EQ(bytes_of(meta_of(second)->frames[1].buffer),
            bytes_of(meta_of(first)->frames[1].buffer));
}

TEST(MuxMemory, SlotsOfBatchesThatAreHeldAreNotWrittenAgain) {
  MuxBench bench({0, 1}, kWaitForEver);
  std::vector<BufferPtr> kept;
  for (guint number = 0; number < 8; ++number) {
    push_offered(bench, {0, 1}, number);
    kept.push_back(bench.pull_batch());
  }
  for (guint number = 0; number < 8; ++number)
    EXPECT_EQ(text_of(kept[number].get()), text_of_all(2, number));
}

TEST(MuxMemory, BatchesOutliveTheElement) {
  BufferPtr batch;
  {
    MuxBench bench({0, 1}, kWaitForEver);
    push_offered(bench, {0, 1}, 0);
    batch = bench.pull_batch();
  }
  EXPECT_EQ(text_of(batch.get()), "0:0 1:0");
  EXPECT_EQ(text_of_block(batch.get()), "0:0 1:0");
}

TEST(MuxMetas, StayOnTheirFrame) {
  for (const char* layout : {"auto", "contiguous"}) {
    MuxBench bench({0, 1}, kWaitForEver + std::string("layout=") + layout);
    BufferPtr frame = bench.frame(1, 0, 0);
    CapsPtr reference(gst_caps_from_string("timestamp/x-ntp"));
    gst_buffer_add_reference_timestamp_meta(frame.get(), reference.get(), 77, GST_CLOCK_TIME_NONE);
    gst_buffer_add_video_region_of_interest_meta(frame.get(), "face", 1, 2, 3, 4);
    const gchar* no_tags[] = {nullptr};
    if (!gst_meta_get_info("LockstepTestMeta"))
      gst_meta_register_custom("LockstepTestMeta", no_tags, nullptr, nullptr, nullptr);
    GstCustomMeta* custom = gst_buffer_add_custom_meta(frame.get(), "LockstepTestMeta");
    gst_structure_set(gst_custom_meta_get_structure(custom), "answer", G_TYPE_INT, 42, nullptr);
    GST_BUFFER_DURATION(frame.get()) = 11;
    bench.push_all({0}, 0);
    bench.push(1, std::move(frame));
    const BufferPtr batch = bench.pull_batch();
    ASSERT_EQ(text_of(batch.get()), "0:0 1:0");
    GstBuffer* out = meta_of(batch)->frames[1].buffer;
    EXPECT_EQ(GST_BUFFER_DURATION(out), 11u);
    const auto* told = gst_buffer_get_reference_timestamp_meta(out, reference.get());
    ASSERT_TRUE(told) << layout;
    EXPECT_EQ(told->timestamp, 77u);
    const auto* region = reinterpret_cast<GstVideoRegionOfInterestMeta*>(
        gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
    ASSERT_TRUE(region) << layout;
    EXPECT_EQ(region->h, 4u);
    custom = gst_buffer_get_custom_meta(out, "LockstepTestMeta");
    ASSERT_TRUE(custom) << layout;
    gint answer = 0;
    gst_structure_get_int(gst_custom_meta_get_structure(custom), "answer", &answer);
    EXPECT_EQ(answer, 42);
    GstBuffer* other = meta_of(batch)->frames[0].buffer;
    EXPECT_FALSE(gst_buffer_get_reference_timestamp_meta(other, nullptr));
  }
}

// What a batch says of each frame, but for the buffer.
std::string story_of(GstBuffer* batch) {
  const GstLockstepBatchMeta* meta = gst_buffer_get_lockstep_batch_meta(batch);
  std::string text;
  for (guint s = 0; s < meta->n_frames; ++s) {
    const GstLockstepFrame& frame = meta->frames[s];
    for (guint64 number :
         {guint64{frame.state}, guint64{frame.sensor}, frame.sequence, frame.capture_time,
          guint64{frame.clock}, guint64{frame.reference_point}, frame.exposure,
          frame.frame_duration, guint64{frame.settings_revision}, guint64{frame.copies}})
      text += std::to_string(number) + " ";
    for (gdouble gain : {frame.analogue_gain, frame.digital_gain, frame.red_gain, frame.blue_gain})
      text += std::to_string(gain) + " ";
  }
  return text + std::to_string(GST_BUFFER_PTS(batch)) + "/" + std::to_string(meta->skew);
}

// The buffers at a pad of an element in a pipeline, as `tell` has them.
struct Probe {
  Probe(GstElement* pipeline, const char* element) {
    GstElement* found = gst_bin_get_by_name(GST_BIN(pipeline), element);
    GstPad* pad = gst_element_get_static_pad(found, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, this, nullptr);
    gst_object_unref(pad);
    gst_object_unref(found);
  }
  static GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer probe) {
    GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    static_cast<Probe*>(probe)->stories.push_back(story_of(buffer));
    static_cast<Probe*>(probe)->num_contiguous +=
        gst_buffer_get_lockstep_batch_meta(buffer)->contiguous != FALSE;
    return GST_PAD_PROBE_OK;
  }
  std::vector<std::string> stories;
  int num_contiguous = 0;
};

// Plays to the end; the text of the error that came instead.
std::string play(GstElement* pipeline) {
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(pipeline);
  MessagePtr message(gst_bus_timed_pop_filtered(
      bus, 60 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  std::string text = message ? "" : "nothing came";
  if (message && GST_MESSAGE_TYPE(message.get()) == GST_MESSAGE_ERROR) {
    GError* error = nullptr;
    gst_message_parse_error(message.get(), &error, nullptr);
    text = error->message;
    g_error_free(error);
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  return text;
}

ElementPtr launch(const std::string& line) {
  GError* error = nullptr;
  ElementPtr pipeline(gst_parse_launch(line.c_str(), &error));
  EXPECT_EQ(error, nullptr) << error->message;
  return pipeline;
}

TEST(MuxPipeline, OfASourceTakenApartTellsWhatTheSourceTold) {
  ElementPtr pipeline = launch(
      "lockstepsrc name=src sensors=\"sim?realtime=false&drop=0.1\" num-sensors=3 num-buffers=30 ! "
      "video/x-raw(ANY),width=64,height=48 ! lockstepdemux name=d lockstepmux name=m "
      "max-wait=3600000000000 ! fakesink d.src_0 ! m.sink_0 d.src_1 ! queue ! m.sink_1 "
      "d.src_2 ! queue ! m.sink_2");
  Probe from(pipeline.get(), "src");
  Probe to(pipeline.get(), "m");
  EXPECT_EQ(play(pipeline.get()), "");
  EXPECT_EQ(from.stories.size(), 30u);
  EXPECT_EQ(to.stories, from.stories);
  // What lay together still does, in the source's own arenas.
  EXPECT_GT(from.num_contiguous, 0);
  EXPECT_EQ(to.num_contiguous, from.num_contiguous);
}

TEST(MuxPipeline, OfTestSourcesWritesIntoTheSlots) {
  std::string line = "lockstepmux name=m ! fakesink ";
  for (int pad = 0; pad < 4; ++pad)
    line += "videotestsrc num-buffers=50 pattern=" + std::to_string(pad) +
            " ! video/x-raw,format=NV12,width=64,height=48,framerate=30/1 ! m.sink_" +
            std::to_string(pad) + " ";
  ElementPtr pipeline = launch(line);
  Probe to(pipeline.get(), "m");
  EXPECT_EQ(play(pipeline.get()), "");
  EXPECT_EQ(to.stories.size(), 50u);
  EXPECT_EQ(to.num_contiguous, 50);
}

TEST(MuxPipeline, OfSourcesThatTakeAnyKindAgreesOnTheFirst) {
  ElementPtr pipeline = launch(
      "lockstepmux name=m layout=contiguous ! fakesink "
      "videotestsrc num-buffers=100 ! video/x-raw,format=I420,width=64,height=48 ! m.sink_0 "
      "videotestsrc num-buffers=100 ! m.sink_1 ");
  Probe to(pipeline.get(), "m");
  EXPECT_EQ(play(pipeline.get()), "");
  EXPECT_GT(to.num_contiguous, 0);
  EXPECT_EQ(static_cast<std::size_t>(to.num_contiguous), to.stories.size());
}

TEST(MuxPipeline, OfSeveralKindsBeforeATilerSaysWhoSendsWhatAndTheRemedy) {
  const char* sources =
      "videotestsrc num-buffers=300 ! video/x-raw,format=NV12,width=64,height=48 ! m.sink_0 "
      "videotestsrc num-buffers=300 ! video/x-raw,format=I420,width=32,height=48 ! m.sink_1 ";
  for (const char* end : {"lockstepmux name=m ! locksteptiler ! fakesink ",
                          "lockstepmux name=m layout=contiguous ! fakesink "}) {
    ElementPtr pipeline = launch(std::string(end) + sources);
    const std::string error = play(pipeline.get());
    EXPECT_THAT(error, HasSubstr("sink_0 sends 64x48 NV12"));
    EXPECT_THAT(error, HasSubstr("sink_1 sends 32x48 I420"));
    EXPECT_THAT(error, HasSubstr("put videoconvert ! videoscale and a capsfilter before sink_1"));
  }
}

}  // namespace
}  // namespace lockstep
